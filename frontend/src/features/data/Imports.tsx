/** Imports under way and what became of earlier ones. */
import { isGoing, useCancelImport, useImports } from "../../api/imports";
import type { DataImport } from "../../api/types";
import { ErrorNotice } from "../../components/ErrorNotice";
import { dateTime, number, percent } from "../../components/format";
import { spelledOut } from "../../components/invisible";
import { Badge, ProgressBar } from "../../components/Status";
import { t } from "../../texts";
import { Counts, Reasons } from "./Counts";

const TONES = { failed: "bad", done: "good", running: "busy", queued: "busy" } as const;

export function Imports({ slug }: { slug: string }) {
  const imports = useImports(slug);
  const rows = (imports.data?.pages.flatMap((page) => page.results) ?? []).filter(
    (row) => !["uploading", "ready"].includes(row.state),
  );
  if (imports.error) return <ErrorNotice error={imports.error} onRetry={() => void imports.refetch()} />;
  if (rows.length === 0) return null;
  return (
    <section className="panel stack" aria-labelledby="imports">
      <h2 id="imports">{t.data.imports}</h2>
      <ul className="list">
        {rows.map((row) => (
          <ImportRow key={row.id} slug={slug} row={row} />
        ))}
      </ul>
      {imports.hasNextPage && (
        <button type="button" className="button" onClick={() => void imports.fetchNextPage()}>
          {t.common.more}
        </button>
      )}
    </section>
  );
}

function ImportRow({ slug, row }: { slug: string; row: DataImport }) {
  const cancel = useCancelImport(slug);
  const tone = row.state in TONES ? TONES[row.state as keyof typeof TONES] : "quiet";
  return (
    <li className="import-row">
      <span>
        <strong>{spelledOut(row.name)}</strong>{" "}
        <span className="muted">
          {dateTime(row.created_at)}
          {row.created_by && ` · ${row.created_by}`}
        </span>
      </span>
      <Badge tone={tone}>{t.words(row.state)}</Badge>
      {isGoing(row) && (
        <>
          <ProgressBar done={row.share} total={1} label={t.data.progressOf(row.name)} />
          <span className="muted num">
            {percent(row.share)}, {t.data.recordsSoFar(number(row.records))}
          </span>
          <button
            type="button"
            className="button small danger"
            disabled={cancel.isPending}
            onClick={() => cancel.mutate(row.id)}
          >
            {t.common.cancel}
          </button>
        </>
      )}
      {row.error !== "" && <p className="row-error">{row.error}</p>}
      {row.report && (
        <details>
          <summary>
            {t.projects.importCounts(
              number(row.report.stored),
              number(row.report.duplicates),
              number(row.report.refused),
            )}
          </summary>
          <Counts report={row.report} />
          <Reasons report={row.report} />
        </details>
      )}
    </li>
  );
}
