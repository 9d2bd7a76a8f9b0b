import { Field } from "../../components/Field";
import { t } from "../../texts";

/** As typed; the server says what is wrong with a value. */
export interface Sampling {
  temperature: string;
  longest: string;
  seed: string;
}

export const STANDARD: Sampling = { temperature: "1", longest: "256", seed: "" };

export function samplingOf({ temperature, longest, seed }: Sampling) {
  return {
    temperature: Number(temperature),
    max_new_tokens: Number(longest),
    seed: seed.trim() === "" ? null : Number(seed),
  };
}

export function Settings(props: {
  system: string;
  onSystem: (system: string) => void;
  sampling: Sampling;
  onSampling: (sampling: Sampling) => void;
}) {
  const { system, onSystem, sampling, onSampling } = props;
  const text = (name: keyof Sampling, label: string, help?: string) => (
    <Field label={label} help={help}>
      {(control) => (
        <input
          {...control}
          inputMode="decimal"
          value={sampling[name]}
          onChange={(event) => onSampling({ ...sampling, [name]: event.target.value })}
        />
      )}
    </Field>
  );
  return (
    <details>
      <summary>{t.playground.settings}</summary>
      <div className="stack">
        <Field label={t.playground.system}>
          {(control) => (
            <textarea
              {...control}
              rows={2}
              dir="auto"
              value={system}
              onChange={(event) => onSystem(event.target.value)}
            />
          )}
        </Field>
        <div className="form-grid">
          {text("temperature", t.playground.temperature, t.playground.temperatureHelp)}
          {text("longest", t.playground.longest)}
          {text("seed", t.runs.seed, t.playground.seedHelp)}
        </div>
      </div>
    </details>
  );
}
