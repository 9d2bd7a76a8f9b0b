/** A project's annotations as a file: which, in what format, and how the first ones look. */
import { useState } from "react";
import { useExportPreview } from "../../api/projects";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { spelledOut } from "../../components/invisible";
import { t } from "../../texts";
import {
  type ExportChoice,
  type ExportKind,
  FIRST,
  FORMATS,
  PEOPLES,
  SPLITS,
  WHOSE,
  changed,
  exportPath,
  previewPath,
} from "./exportChoice";

type Change = (change: Partial<ExportChoice>) => void;

export function ExportForm({ slug }: { slug: string }) {
  const [choice, setChoice] = useState(FIRST);
  const [wanted, setWanted] = useState(false);
  const preview = useExportPreview(previewPath(slug, choice), wanted);
  const change: Change = (part) => setChoice((before) => changed(before, part));
  const refused = wanted && preview.error !== null;
  return (
    <section className="panel stack" aria-labelledby="export">
      <h2 id="export">{t.data.export}</h2>
      <div className="form-grid">
        <What choice={choice} change={change} />
        <Which choice={choice} change={change} />
      </div>
      <div className="row">
        <button type="button" className="button" aria-pressed={wanted} onClick={() => setWanted(!wanted)}>
          {t.data.preview}
        </button>
        {!refused && (
          <a className="button primary" href={`/api/v1/${exportPath(slug, choice)}`} download>
            {choice.package ? t.data.downloadPackage : t.data.download}
          </a>
        )}
      </div>
      {wanted && preview.isPending && <Loading />}
      {wanted && preview.error && (
        <>
          <ErrorNotice error={preview.error} />
          <ul className="reasons">
            {Object.entries(preview.error.fields).map(([name, problem]) => (
              <li key={name}>
                <span className="code">{name}</span> {problem}
              </li>
            ))}
          </ul>
        </>
      )}
      {wanted && preview.data?.length === 0 && <p className="empty">{t.data.nothing}</p>}
      {wanted &&
        preview.data?.map((line, index) => (
          <pre
            key={index}
            className="log"
            // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling area needs the keyboard
            tabIndex={0}
            aria-label={t.data.record(index + 1)}
          >
            {spelledOut(line)}
          </pre>
        ))}
    </section>
  );
}

function What({ choice, change }: { choice: ExportChoice; change: Change }) {
  return (
    <>
      <Field label={t.data.kind}>
        {(control) => (
          <select
            {...control}
            value={choice.kind}
            onChange={(event) => change({ kind: event.target.value as ExportKind })}
          >
            {(Object.keys(FORMATS) as ExportKind[]).map((each) => (
              <option key={each} value={each}>
                {t.data.kinds[each]}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={t.data.format} help={t.data.carries[choice.format as keyof typeof t.data.carries]}>
        {(control) => (
          <select
            {...control}
            value={choice.format}
            onChange={(event) => change({ format: event.target.value })}
          >
            {FORMATS[choice.kind].map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        )}
      </Field>
      <div className="switches">
        <label className="toggle">
          <input
            type="checkbox"
            checked={choice.package}
            disabled={choice.format === "parquet"}
            onChange={(event) => change({ package: event.target.checked })}
          />
          {t.data.package}
        </label>
        <label className="toggle">
          <input
            type="checkbox"
            checked={choice.pseudonyms}
            onChange={(event) => change({ pseudonyms: event.target.checked })}
          />
          {t.data.pseudonyms}
        </label>
        {choice.kind === "rankings" && (
          <label className="toggle">
            <input
              type="checkbox"
              checked={choice.merged}
              onChange={(event) => change({ merged: event.target.checked })}
            />
            {t.data.merged}
          </label>
        )}
      </div>
    </>
  );
}

/** The filters: those that the kind of record has. */
function Which({ choice, change }: { choice: ExportChoice; change: Change }) {
  return (
    <>
      <Field label={t.data.split}>
        {(control) => (
          <select
            {...control}
            value={choice.split}
            onChange={(event) => change({ split: event.target.value as ExportChoice["split"] })}
          >
            {SPLITS.map((each) => (
              <option key={each} value={each}>
                {each === "" ? t.data.bothSplits : t.data.splits[each]}
              </option>
            ))}
          </select>
        )}
      </Field>
      {PEOPLES.includes(choice.kind) && (
        <Field label={t.data.whose}>
          {(control) => (
            <select
              {...control}
              value={choice.whose}
              onChange={(event) => change({ whose: event.target.value as ExportChoice["whose"] })}
            >
              {WHOSE.map((each) => (
                <option key={each} value={each}>
                  {each === "" ? t.data.everybody : t.data.whoses[each]}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      {(["from", "to"] as const).map((bound) => (
        <Field key={bound} label={t.data.bounds[bound]}>
          {(control) => (
            <input
              {...control}
              type="date"
              value={choice[bound]}
              onChange={(event) => change({ [bound]: event.target.value })}
            />
          )}
        </Field>
      ))}
      {choice.kind === "rankings" && (
        <>
          <Numeric
            label={t.data.minAgreement}
            help={t.data.minAgreementHelp}
            most={1}
            step="any"
            value={choice.minAgreement}
            onChange={(minAgreement) => change({ minAgreement })}
          />
          <Numeric
            label={t.data.minRankings}
            value={choice.minRankings}
            onChange={(minRankings) => change({ minRankings })}
          />
        </>
      )}
      <Numeric
        label={t.data.limit}
        help={t.data.limitHelp}
        value={choice.limit}
        onChange={(limit) => change({ limit })}
      />
    </>
  );
}

function Numeric(props: {
  label: string;
  help?: string;
  most?: number;
  step?: "any";
  value: string;
  onChange: (value: string) => void;
}) {
  return (
    <Field label={props.label} help={props.help}>
      {(control) => (
        <input
          {...control}
          type="number"
          inputMode="decimal"
          min={props.step === "any" ? 0 : 1}
          max={props.most}
          step={props.step ?? 1}
          value={props.value}
          onChange={(event) => props.onChange(event.target.value)}
        />
      )}
    </Field>
  );
}
