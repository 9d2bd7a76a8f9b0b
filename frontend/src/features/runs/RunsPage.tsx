import { useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { useRunKinds, useRuns } from "../../api/runs";
import type { Run } from "../../api/types";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { SERIES_COLORS } from "../../components/Chart";
import { dateTime, duration } from "../../components/format";
import { ProgressBar } from "../../components/Status";
import { t } from "../../texts";
import { RunStatusBadge } from "./RunStatusBadge";

const STATUSES = ["queued", "running", "succeeded", "failed", "cancelled"] as const;

export function RunsPage() {
  const { slug = "" } = useParams();
  const [search, setSearch] = useSearchParams();
  const kind = search.get("kind") ?? "";
  const status = search.get("status") ?? "";
  const kinds = useRunKinds();
  const runs = useRuns(slug, { kind, status });
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const rows = runs.data?.pages.flatMap((page) => page.results) ?? [];
  const filter = (name: string, value: string) =>
    setSearch(
      (before) => {
        const next = new URLSearchParams(before);
        if (value === "") next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: true },
    );
  const choose = (id: string, on: boolean) =>
    setChosen((before) => (on ? [...before, id] : before.filter((each) => each !== id)));
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.runs.title}</h1>
        <Link className="button primary" to={`/p/${slug}/runs/new`}>
          {t.runs.start}
        </Link>
      </header>
      <div className="row">
        <label className="inline-field">
          {t.runs.kind}
          <select value={kind} onChange={(event) => filter("kind", event.target.value)}>
            <option value="">{t.runs.anyKind}</option>
            {kinds.data?.map((each) => (
              <option key={each.kind} value={each.kind}>
                {t.kind(each.kind)}
              </option>
            ))}
          </select>
        </label>
        <label className="inline-field">
          {t.runs.status}
          <select value={status} onChange={(event) => filter("status", event.target.value)}>
            <option value="">{t.runs.anyStatus}</option>
            {STATUSES.map((each) => (
              <option key={each} value={each}>
                {t.runs.statuses[each]}
              </option>
            ))}
          </select>
        </label>
        {chosen.length > 1 && (
          <Link
            className="button"
            to={`/p/${slug}/runs/overlay?${chosen.map((id) => `run=${id}`).join("&")}`}
          >
            {t.overlay.open(chosen.length)}
          </Link>
        )}
        {chosen.length === 1 && <span className="muted">{t.overlay.one}</span>}
      </div>
      {runs.isPending && <Loading />}
      {runs.error && <ErrorNotice error={runs.error} onRetry={() => void runs.refetch()} />}
      {runs.data && rows.length === 0 && (
        <p className="empty">{kind === "" && status === "" ? t.runs.empty : t.runs.emptyFilter}</p>
      )}
      {rows.length > 0 && (
        <div className="scroll-x">
          <table className="table wide">
            <thead>
              <tr>
                <th scope="col">
                  <span className="visually-hidden">{t.overlay.choose}</span>
                </th>
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
                <RunRow
                  key={run.id}
                  slug={slug}
                  run={run}
                  chosen={chosen.includes(run.id)}
                  full={chosen.length >= SERIES_COLORS}
                  onChoose={(on) => choose(run.id, on)}
                />
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

function RunRow(props: {
  slug: string;
  run: Run;
  chosen: boolean;
  full: boolean;
  onChoose: (on: boolean) => void;
}) {
  const { slug, run, chosen, full, onChoose } = props;
  const { progress } = run;
  return (
    <tr>
      <td>
        <input
          type="checkbox"
          aria-label={t.overlay.chooseRun(run.name)}
          checked={chosen}
          disabled={full && !chosen}
          onChange={(event) => onChoose(event.target.checked)}
        />
      </td>
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
