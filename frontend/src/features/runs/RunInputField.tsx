import { useState } from "react";
import { useInputs } from "../../api/runs";
import type { Checkpoint, Corpus, RunInputRule, Snapshot } from "../../api/types";
import { Field } from "../../components/Field";
import { bytes, dateTime } from "../../components/format";
import { t } from "../../texts";

const CHECKPOINTS = ["base", "policy", "reward_model"];

/** Chooses what a run works on: left to the server, something the project has, or a model from outside. */
export function RunInputField(props: {
  slug: string;
  name: string;
  rule: RunInputRule;
  value: unknown;
  error: string | undefined;
  onChange: (value: unknown) => void;
}) {
  const { slug, name, rule, value, error, onChange } = props;
  const model = rule.accepts.some((kind) => CHECKPOINTS.includes(kind));
  const corpus = rule.accepts.includes("corpus");
  const hub = hubName(value);
  const [outside, setOutside] = useState(hub !== null);
  const options = useOptions(slug, rule, model, corpus);
  const found = options.length > 1 ? t.newRun.choose : t.newRun.obvious;
  const auto = !rule.required ? t.newRun.none : model || corpus ? found : t.newRun.freezeNow;
  return (
    <Field label={t.words(name)} help={rule.help} error={error}>
      {(control) => (
        <>
          <select
            {...control}
            value={outside ? "hub" : typeof value === "string" ? value : ""}
            onChange={(event) => {
              const chosen = event.target.value;
              setOutside(chosen === "hub");
              onChange(chosen === "" ? undefined : chosen === "hub" ? { hub: "" } : chosen);
            }}
          >
            <option value="">{auto}</option>
            {options.map(({ id, label }) => (
              <option key={id} value={id}>
                {label}
              </option>
            ))}
            {model && <option value="hub">{t.newRun.hub}</option>}
          </select>
          {outside && (
            <input
              aria-label={t.newRun.hub}
              placeholder={t.newRun.hubExample}
              value={hub ?? ""}
              onChange={(event) => onChange({ hub: event.target.value })}
            />
          )}
        </>
      )}
    </Field>
  );
}

function useOptions(slug: string, rule: RunInputRule, model: boolean, corpus: boolean) {
  const checkpoints = useInputs<Checkpoint>(slug, "checkpoints", model);
  const corpora = useInputs<Corpus>(slug, "corpora", corpus);
  const snapshots = useInputs<Snapshot>(slug, "snapshots", !model && !corpus);
  if (model)
    return (checkpoints.data ?? [])
      .filter((checkpoint) => rule.accepts.includes(checkpoint.kind))
      .map(({ id, name, created_at }) => ({ id, label: `${name} · ${dateTime(created_at)}` }));
  if (corpus)
    return (corpora.data ?? []).map(({ id, name, bytes: size }) => ({
      id,
      label: `${name} · ${bytes(size)}`,
    }));
  return (snapshots.data ?? [])
    .filter((snapshot) => rule.accepts.includes(snapshot.kind))
    .map(({ id, rows, sha256, created_at }) => ({
      id,
      label: t.newRun.snapshot(rows, sha256.slice(0, 8), dateTime(created_at)),
    }));
}

function hubName(value: unknown): string | null {
  if (typeof value !== "object" || value === null || !("hub" in value)) return null;
  return typeof value.hub === "string" ? value.hub : "";
}
