/** What an import would come to, with the choices that change it. */
import { useState } from "react";
import { usePreview, useStartImport } from "../../api/imports";
import type { ImportOptions, ImportPreview } from "../../api/types";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { number } from "../../components/format";
import { t } from "../../texts";
import { Counts, Reasons } from "./Counts";
import { FIELDS, withField } from "./mapping";
import { Record } from "./Record";

const SWITCHES = ["open_demonstrations", "open_rankings"] as const;

export function Look(props: { slug: string; id: string; onStarted: () => void; onAnother: () => void }) {
  const { slug, id, onStarted, onAnother } = props;
  const [options, setOptions] = useState<ImportOptions>({});
  const look = usePreview(id, options);
  const start = useStartImport(slug, id);
  const set = (change: ImportOptions) => setOptions((before) => ({ ...before, ...change }));
  const problem = look.error ?? start.error;
  const preview = look.data;
  const report = preview?.report ?? null;
  return (
    <>
      {problem && <ErrorNotice error={problem} />}
      {look.isPending && <Loading what={t.data.looking} />}
      {preview && (
        <>
          <div className="form-grid">
            <Field
              label={t.data.format}
              help={preview.format === "" ? t.data.formatUnknown : t.data.formatHelp}
              error={problem?.fields["format"]}
            >
              {(control) => (
                <select
                  {...control}
                  value={options.format ?? ""}
                  onChange={(event) => set({ format: event.target.value })}
                >
                  <option value="">
                    {preview.format === "" || options.format ? t.data.told : t.data.toldAs(preview.format)}
                  </option>
                  {preview.formats.map((format) => (
                    <option key={format}>{format}</option>
                  ))}
                </select>
              )}
            </Field>
            <Mapping preview={preview} options={options} onOptions={set} />
          </div>
          <fieldset className="switches">
            <legend className="visually-hidden">{t.data.work}</legend>
            {SWITCHES.map((name) => (
              <label key={name} className="toggle">
                <input
                  type="checkbox"
                  checked={options[name] ?? false}
                  onChange={(event) => set({ [name]: event.target.checked })}
                />
                {t.data.switches[name]}
              </label>
            ))}
            <label className="toggle">
              <input
                type="checkbox"
                checked={options.cleaning?.near_duplicates ?? false}
                onChange={(event) =>
                  set({ cleaning: { ...options.cleaning, near_duplicates: event.target.checked } })
                }
              />
              {t.data.nearDuplicates}
            </label>
            <label className="toggle">
              <input
                type="checkbox"
                checked={options.cleaning?.quality ?? false}
                onChange={(event) =>
                  set({ cleaning: { ...options.cleaning, quality: event.target.checked } })
                }
              />
              {t.data.cleanQuality}
            </label>
            <label className="inline-field">
              {t.data.pii}
              <select
                value={options.cleaning?.pii ?? ""}
                onChange={(event) =>
                  set({ cleaning: { ...options.cleaning, pii: event.target.value as "" | "mark" } })
                }
              >
                {(["", "mark", "mask", "refuse"] as const).map((each) => (
                  <option key={each} value={each}>
                    {t.data.piis[each === "" ? "leave" : each]}
                  </option>
                ))}
              </select>
            </label>
          </fieldset>
          {report && (
            <section aria-label={t.data.found} className="stack">
              <p role="status">
                <strong>{preview.whole ? t.data.wouldStore : t.data.wouldStoreFirst}</strong>
              </p>
              <Counts report={report} />
              <Reasons report={report} />
            </section>
          )}
          <details>
            <summary>{t.data.firstRecords(preview.records.length)}</summary>
            <ol className="samples">
              {preview.records.map((record, index) => (
                <Record key={index} record={record} />
              ))}
            </ol>
          </details>
        </>
      )}
      <div className="actions">
        <button type="button" className="button" onClick={onAnother}>
          {t.data.another}
        </button>
        <button
          type="button"
          className="button primary"
          disabled={report === null || start.isPending || look.isFetching}
          onClick={() => start.mutate(options, { onSuccess: onStarted })}
        >
          {preview?.whole && report ? t.data.store(number(report.stored)) : t.data.storeAll}
        </button>
      </div>
    </>
  );
}

/** Which field of the file stands for which of the format's; untouched ones keep their names. */
function Mapping(props: {
  preview: ImportPreview;
  options: ImportOptions;
  onOptions: (change: ImportOptions) => void;
}) {
  const { preview, options, onOptions } = props;
  const mapping = options.mapping ?? {};
  if (preview.field_names.length === 0) return null;
  return (
    <details>
      <summary>{t.data.mapping}</summary>
      <div className="stack">
        {FIELDS.map((target) => (
          <label key={target} className="inline-field">
            <span className="code">{target}</span>
            <select
              value={Object.entries(mapping).find(([, to]) => to === target)?.[0] ?? ""}
              onChange={(event) => onOptions({ mapping: withField(mapping, target, event.target.value) })}
            >
              <option value="">{t.data.sameName}</option>
              {preview.field_names.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        ))}
      </div>
    </details>
  );
}
