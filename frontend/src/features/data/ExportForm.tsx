/** What training reads, as a file; import takes it back. */
import { useState } from "react";
import { exportAddress, useExportPreview } from "../../api/projects";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { spelledOut } from "../../components/invisible";
import { t } from "../../texts";

const KINDS = ["prompts", "demonstrations", "rankings", "comparisons"] as const;
const SPLITS = ["", "train", "heldout"] as const;

export function ExportForm({ slug }: { slug: string }) {
  const [kind, setKind] = useState<(typeof KINDS)[number]>("rankings");
  const [split, setSplit] = useState<(typeof SPLITS)[number]>("");
  const [wanted, setWanted] = useState(false);
  const preview = useExportPreview(slug, { kind, split }, wanted);
  return (
    <section className="panel stack" aria-labelledby="export">
      <h2 id="export">{t.data.export}</h2>
      <div className="row">
        <Field label={t.data.kind}>
          {(control) => (
            <select
              {...control}
              value={kind}
              onChange={(event) => setKind(event.target.value as (typeof KINDS)[number])}
            >
              {KINDS.map((each) => (
                <option key={each} value={each}>
                  {t.data.kinds[each]}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={t.data.split}>
          {(control) => (
            <select
              {...control}
              value={split}
              onChange={(event) => setSplit(event.target.value as (typeof SPLITS)[number])}
            >
              {SPLITS.map((each) => (
                <option key={each} value={each}>
                  {each === "" ? t.data.bothSplits : t.data.splits[each]}
                </option>
              ))}
            </select>
          )}
        </Field>
        <button type="button" className="button" aria-pressed={wanted} onClick={() => setWanted(!wanted)}>
          {t.data.preview}
        </button>
        <a className="button primary" href={exportAddress(slug, { kind, split })} download>
          {t.data.download}
        </a>
      </div>
      <p className="help">{t.data.exportHelp}</p>
      {wanted && preview.isPending && <Loading />}
      {wanted && preview.error && <ErrorNotice error={preview.error} />}
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
