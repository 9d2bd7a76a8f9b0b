import { useRef, useState } from "react";
import { useImport } from "../../api/projects";
import { ErrorNotice } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { number } from "../../components/format";
import { t } from "../../texts/en";

/** Upload with counts; the same file again stores nothing new. */
export function ImportForm({ slug }: { slug: string }) {
  const upload = useImport(slug);
  const [file, setFile] = useState<File | null>(null);
  const [dryRun, setDryRun] = useState(false);
  const [tried, setTried] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const result = upload.data;
  return (
    <form
      className="panel stack"
      aria-labelledby="import"
      onSubmit={(event) => {
        event.preventDefault();
        if (file === null) return;
        setTried(dryRun);
        upload.mutate({ file, dryRun });
      }}
    >
      <h2 id="import">{t.projects.import}</h2>
      {upload.error && <ErrorNotice error={upload.error} />}
      <Field label={t.projects.file} help={t.projects.fileHelp} error={upload.error?.fields["file"]}>
        {(control) => (
          <input
            {...control}
            ref={input}
            type="file"
            required
            onChange={(event) => setFile(event.target.files?.[0] ?? null)}
          />
        )}
      </Field>
      <label className="toggle">
        <input type="checkbox" checked={dryRun} onChange={(event) => setDryRun(event.target.checked)} />
        {t.projects.dryRun}
      </label>
      {result && (
        <div className="notice notice-good" role="status">
          <div>
            <p>{tried ? t.projects.wouldImport(result.format) : t.projects.imported(result.format)}</p>
            <p>
              {t.projects.importCounts(
                number(result.stored),
                number(result.duplicates),
                number(result.refused),
              )}
            </p>
            {result.refusals.slice(0, 10).map((refusal) => (
              <p key={refusal.record} className="code">
                {`${refusal.file}, ${refusal.line}: ${refusal.reason}`}
              </p>
            ))}
          </div>
        </div>
      )}
      <div className="actions">
        <button type="submit" className="button primary" disabled={file === null || upload.isPending}>
          {upload.isPending ? t.projects.importing : t.projects.import}
        </button>
      </div>
    </form>
  );
}
