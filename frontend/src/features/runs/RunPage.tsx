/** One run: how far it is, how it goes, what it said, and what came of it. */
import { Link, useParams } from "react-router";
import { isLive, useReport, useRun, useRunAction } from "../../api/runs";
import type { Run } from "../../api/types";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { dateTime, duration, number } from "../../components/format";
import { t } from "../../texts";
import { Charts } from "./Charts";
import { Log } from "./Log";
import { ReportView } from "./ReportView";
import { RunProgress } from "./RunProgress";
import { RunStatusBadge } from "./RunStatusBadge";
import { Rollouts, Samples } from "./Texts";

const MAKES_ROLLOUTS = ["sample", "evaluate"];

export function RunPage() {
  const { slug = "", id = "" } = useParams();
  const query = useRun(id);
  const run = query.data;
  const report = useReport(id, run?.status === "succeeded");
  if (query.isPending) return <Loading />;
  if (run === undefined)
    return (
      <div className="page">
        <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />
      </div>
    );
  const live = isLive(run);
  return (
    <div className="page">
      <Head slug={slug} run={run} live={live} />
      {query.error && <ErrorNotice error={query.error} />}
      {run.error && (
        <div className="notice notice-bad" role="alert">
          <p>
            {run.error.sentence} <span className="code">{run.error.code}</span>
          </p>
        </div>
      )}
      {live && <RunProgress run={run} at={query.dataUpdatedAt} />}
      <Facts slug={slug} run={run} />
      {report.data && Object.keys(report.data).length > 0 && <ReportView slug={slug} report={report.data} />}
      <Charts id={id} live={live} />
      <Samples id={id} live={live} />
      {run.status === "succeeded" && MAKES_ROLLOUTS.includes(run.kind) && <Rollouts id={id} />}
      <Log id={id} live={live} fallback={run.error?.log_tail ?? ""} />
    </div>
  );
}

function Head({ slug, run, live }: { slug: string; run: Run; live: boolean }) {
  const cancel = useRunAction(run.id, "cancel");
  const resume = useRunAction(run.id, "resume");
  const problem = cancel.error ?? resume.error;
  return (
    <>
      <p>
        <Link to={`/p/${slug}/runs`}>{t.runs.all}</Link>
      </p>
      <header className="page-head">
        <h1>
          {run.name} <RunStatusBadge run={run} />
        </h1>
        <span className="row">
          {live && (
            <button
              type="button"
              className="button danger"
              disabled={cancel.isPending || run.cancelling}
              onClick={() => cancel.mutate()}
            >
              {t.runs.cancel}
            </button>
          )}
          {(run.status === "failed" || run.status === "cancelled") && (
            <button
              type="button"
              className="button"
              disabled={resume.isPending}
              onClick={() => resume.mutate()}
            >
              {t.runs.resume}
            </button>
          )}
          <Link className="button" to={`/p/${slug}/runs/new?like=${run.id}`}>
            {t.runs.again}
          </Link>
        </span>
      </header>
      {problem && <ErrorNotice error={problem} />}
    </>
  );
}

function Facts({ slug, run }: { slug: string; run: Run }) {
  return (
    <section className="panel" aria-label={t.runs.facts}>
      <dl className="facts">
        <Fact name={t.runs.kind}>{t.kind(run.kind)}</Fact>
        {Object.entries(run.inputs).map(([name, input]) => (
          <Fact key={name} name={t.words(name)}>
            {input.label}
          </Fact>
        ))}
        {run.checkpoint && (
          <Fact name={t.runs.checkpoint}>
            <Link to={`/p/${slug}/checkpoints/${run.checkpoint}`}>{t.runs.openCheckpoint}</Link>
          </Fact>
        )}
        <Fact name={t.runs.created}>
          {dateTime(run.created_at)} {run.created_by && <span className="muted">· {run.created_by}</span>}
        </Fact>
        <Fact name={t.runs.took}>{duration(run.started_at, run.finished_at)}</Fact>
        <Fact name={t.runs.seed}>{run.seed}</Fact>
        <Fact name={t.runs.attempt}>{run.attempt}</Fact>
      </dl>
      <details>
        <summary>{t.runs.config}</summary>
        <dl className="facts code">
          {Object.entries(run.config).map(([name, value]) => (
            <Fact key={name} name={name}>
              {number(value)}
            </Fact>
          ))}
        </dl>
      </details>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
