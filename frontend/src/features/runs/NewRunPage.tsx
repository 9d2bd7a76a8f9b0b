/** The form for a new run, made from what the server says each kind takes. */
import { useState } from "react";
import { useNavigate, useParams, useSearchParams } from "react-router";
import { asApiError } from "../../api/client";
import { useRun, useRunKinds, useStartRun } from "../../api/runs";
import type { Run, RunKind, RunOption } from "../../api/types";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { t } from "../../texts";
import { RunInputField } from "./RunInputField";
import { type Typed, defaults, rangeOf, toConfig } from "./runForm";

export function NewRunPage() {
  const { slug = "" } = useParams();
  const [search, setSearch] = useSearchParams();
  const likeId = search.get("like") ?? "";
  const kinds = useRunKinds();
  const like = useRun(likeId, likeId !== "");
  if (kinds.isPending || (likeId !== "" && like.isPending)) return <Loading />;
  const problem = kinds.error ?? like.error;
  const chosen = like.data?.kind ?? search.get("kind") ?? kinds.data?.[0]?.kind;
  const kind = kinds.data?.find((each) => each.kind === chosen);
  return (
    <div className="page">
      <h1>{t.newRun.title}</h1>
      {problem && <ErrorNotice error={problem} />}
      {kinds.data && !like.data && (
        <fieldset className="kinds">
          <legend className="visually-hidden">{t.runs.kind}</legend>
          {kinds.data.map((each) => (
            <label key={each.kind} className={each.kind === chosen ? "kind chosen" : "kind"}>
              <input
                type="radio"
                name="kind"
                aria-labelledby={`kind-${each.kind}`}
                aria-describedby={`kind-${each.kind}-help`}
                checked={each.kind === chosen}
                onChange={() => setSearch({ kind: each.kind }, { replace: true })}
              />
              <span className="kind-name" id={`kind-${each.kind}`}>
                {t.kind(each.kind)}
              </span>
              <span className="kind-help" id={`kind-${each.kind}-help`}>
                {each.help}
              </span>
            </label>
          ))}
        </fieldset>
      )}
      {kind && <RunForm key={kind.kind} slug={slug} kind={kind} like={like.data} />}
    </div>
  );
}

function RunForm({ slug, kind, like }: { slug: string; kind: RunKind; like: Run | undefined }) {
  const navigate = useNavigate();
  const start = useStartRun(slug);
  const [name, setName] = useState("");
  const [seed, setSeed] = useState(like ? String(like.seed) : "");
  const [typed, setTyped] = useState<Typed>(() => defaults(kind.options, like?.config));
  const [inputs, setInputs] = useState<Record<string, unknown>>(() => inputsOf(like));
  const fields = start.error ? asApiError(start.error).fields : {};
  const unplaced = Object.entries(fields).filter(([field]) => !isShown(field, kind));

  return (
    <form
      className="stack"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        const number = Number(seed);
        start.mutate(
          {
            kind: kind.kind,
            name: name.trim(),
            seed: seed.trim() === "" || !Number.isFinite(number) ? null : number,
            config: toConfig(kind.options, typed),
            inputs,
          },
          { onSuccess: (run) => void navigate(`/p/${slug}/runs/${run.id}`) },
        );
      }}
    >
      {start.error && (
        <div className="notice notice-bad" role="alert">
          <div>
            <p>{start.error.offline ? t.errors.offline : start.error.detail}</p>
            {unplaced.map(([field, problem]) => (
              <p key={field}>
                <span className="code">{field}</span> {problem}
              </p>
            ))}
          </div>
        </div>
      )}
      <section className="panel form-grid" aria-label={t.newRun.inputs}>
        <h2>{t.newRun.inputs}</h2>
        {Object.entries(kind.inputs).map(([input, rule]) => (
          <RunInputField
            key={input}
            slug={slug}
            name={input}
            rule={rule}
            value={inputs[input]}
            error={fields[`inputs.${input}`]}
            onChange={(value) => setInputs((before) => ({ ...before, [input]: value }))}
          />
        ))}
      </section>
      <section className="panel form-grid" aria-label={t.newRun.options}>
        <h2>{t.newRun.options}</h2>
        {kind.options.map((option) => (
          <OptionField
            key={option.name}
            option={option}
            value={typed[option.name] ?? ""}
            error={fields[option.name] ?? fields[`config.${option.name}`]}
            onChange={(value) => setTyped((before) => ({ ...before, [option.name]: value }))}
          />
        ))}
        <Field label={t.runs.seed} help={t.newRun.seedHelp} error={fields["seed"]}>
          {(control) => (
            <input
              {...control}
              inputMode="numeric"
              value={seed}
              onChange={(event) => setSeed(event.target.value)}
            />
          )}
        </Field>
        <Field label={t.runs.name} help={t.newRun.nameHelp} error={fields["name"]}>
          {(control) => <input {...control} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
      </section>
      <div className="actions">
        <button type="submit" className="button primary" disabled={start.isPending}>
          {start.isPending ? t.newRun.starting : t.newRun.start}
        </button>
      </div>
    </form>
  );
}

function OptionField(props: {
  option: RunOption;
  value: string | boolean;
  error: string | undefined;
  onChange: (value: string | boolean) => void;
}) {
  const { option, value, error, onChange } = props;
  const range = rangeOf(option, t.newRun.range);
  const help = [option.help, range && `(${range})`].filter(Boolean).join(" ");
  return (
    <Field label={t.words(option.name)} help={help} error={error}>
      {(control) => {
        if (typeof value === "boolean")
          return (
            <input
              {...control}
              type="checkbox"
              checked={value}
              onChange={(event) => onChange(event.target.checked)}
            />
          );
        if (option.choices !== null)
          return (
            <select {...control} value={value} onChange={(event) => onChange(event.target.value)}>
              {option.choices.map((choice) => (
                <option key={choice}>{choice}</option>
              ))}
            </select>
          );
        return (
          <input
            {...control}
            inputMode={option.type === "str" ? "text" : "decimal"}
            value={value}
            onChange={(event) => onChange(event.target.value)}
          />
        );
      }}
    </Field>
  );
}

function inputsOf(like: Run | undefined): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(like?.inputs ?? {}).map(([name, input]) => [
      name,
      input.kind === "hub" ? { hub: input.id } : input.id,
    ]),
  );
}

function isShown(field: string, kind: RunKind): boolean {
  const name = field.replace(/^(config|inputs)\./, "");
  if (field === "seed" || field === "name") return true;
  return name in kind.inputs || kind.options.some((option) => option.name === name);
}
