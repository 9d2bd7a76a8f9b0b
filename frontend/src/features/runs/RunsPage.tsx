import { Link, useParams } from "react-router";
import { useRuns } from "../../api/runs";
import type { Run } from "../../api/types";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { dateTime, duration } from "../../components/format";
import { ProgressBar } from "../../components/Status";
import { t } from "../../texts/en";
import { RunStatusBadge } from "./RunStatusBadge";

export function RunsPage() {
  const { slug = "" } = useParams();
  const runs = useRuns(slug);
  const rows = runs.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.runs.title}</h1>
        <Link className="button primary" to={`/p/${slug}/runs/new`}>
          {t.runs.start}
        </Link>
      </header>
      {runs.isPending && <Loading />}
      {runs.error && <ErrorNotice error={runs.error} onRetry={() => void runs.refetch()} />}
      {runs.data && rows.length === 0 && <p className="empty">{t.runs.empty}</p>}
      {rows.length > 0 && (
        <div className="scroll-x">
          <table className="table wide">
            <thead>
              <tr>
                <th scope="col">{t.runs.name}</th>
                <th scope="col">{t.runs.kind}</th>
                <th scope="col">{t.runs.status}</th>
                <th scope="col">{t.runs.created}</th>
                <th scope="col" className="num">
                  {t.runs.took}
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((run) => (
                <RunRow key={run.id} slug={slug} run={run} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {runs.hasNextPage && (
        <button type="button" className="button" onClick={() => void runs.fetchNextPage()}>
          {t.common.more}
        </button>
      )}
    </div>
  );
}

function RunRow({ slug, run }: { slug: string; run: Run }) {
  const { progress } = run;
  return (
    <tr>
      <th scope="row">
        <Link to={`/p/${slug}/runs/${run.id}`}>{run.name}</Link>
        {run.status === "running" && progress.total > 0 && (
          <ProgressBar done={progress.done} total={progress.total} label={t.runs.progressOf(run.name)} />
        )}
        {run.error && <p className="row-error">{run.error.sentence}</p>}
      </th>
      <td>{t.kind(run.kind)}</td>
      <td>
        <RunStatusBadge run={run} />
      </td>
      <td>
        {dateTime(run.created_at)}
        {run.created_by && <span className="muted"> · {run.created_by}</span>}
      </td>
      <td className="num">{duration(run.started_at, run.finished_at)}</td>
    </tr>
  );
}
