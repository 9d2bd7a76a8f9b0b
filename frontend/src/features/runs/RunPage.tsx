/** One run: how far it is, how it goes, what it said, and what came of it. */
import { useMemo, useState } from "react";
import { Link, useParams } from "react-router";
import {
  isLive,
  useLog,
  useMetrics,
  useReport,
  useRollouts,
  useRun,
  useRunAction,
  useSamples,
} from "../../api/runs";
import type { Run } from "../../api/types";
import { Chart } from "../../components/Chart";
import { Conversation } from "../../components/Conversation";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { dateTime, duration, number } from "../../components/format";
import { Markdown } from "../../components/Markdown";
import { ProgressBar } from "../../components/Status";
import { t } from "../../texts/en";
import { ReportView } from "./ReportView";
import { RunStatusBadge } from "./RunStatusBadge";
import { byImportance, toSeries } from "./series";

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
      {live && (
        <section className="panel" aria-label={t.runs.progress}>
          <p className="progress-line">
            <strong>{run.progress.stage || t.runs.statuses[run.status]}</strong>{" "}
            <span className="muted">{run.progress.text}</span>
            {run.progress.total > 0 && (
              <span className="muted num">
                {" "}
                {run.progress.done.toLocaleString()} / {run.progress.total.toLocaleString()}
              </span>
            )}
          </p>
          <ProgressBar
            done={run.progress.done}
            total={run.progress.total}
            label={t.runs.progressOf(run.name)}
          />
        </section>
      )}
      <Facts slug={slug} run={run} />
      {report.data && Object.keys(report.data).length > 0 && <ReportView report={report.data} />}
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

/** Three rows of charts; a PPO run measures more than thirty things. */
const CHARTS_SHOWN = 9;

function Charts({ id, live }: { id: string; live: boolean }) {
  const metrics = useMetrics(id, live);
  const series = useMemo(() => byImportance(toSeries(metrics.data?.rows ?? [])), [metrics.data]);
  const [all, setAll] = useState(false);
  if (metrics.error) return <ErrorNotice error={metrics.error} onRetry={() => void metrics.refetch()} />;
  if (series.length === 0) return null;
  return (
    <section aria-labelledby="metrics">
      <h2 id="metrics">{t.runs.metrics}</h2>
      <div className="charts">
        {(all ? series : series.slice(0, CHARTS_SHOWN)).map(({ name, steps, values }) => (
          <Chart key={name} steps={steps} values={values} label={t.words(name)} syncKey={id} />
        ))}
      </div>
      {!all && series.length > CHARTS_SHOWN && (
        <button type="button" className="button small more" onClick={() => setAll(true)}>
          {t.runs.allMetrics(series.length)}
        </button>
      )}
    </section>
  );
}

const SAMPLES_SHOWN = 12;

function Samples({ id, live }: { id: string; live: boolean }) {
  const samples = useSamples(id, live);
  const [all, setAll] = useState(false);
  const rows = (samples.data?.rows ?? []).toReversed();
  if (rows.length === 0) return null;
  return (
    <section aria-labelledby="samples">
      <h2 id="samples">{t.runs.samples}</h2>
      <ol className="samples">
        {(all ? rows : rows.slice(0, SAMPLES_SHOWN)).map((row) => (
          <li key={row.seq} className="panel">
            <p className="muted">{t.runs.sampleAt(row.step)}</p>
            {row.prompt !== "" && <Markdown text={row.prompt} plain />}
            <Markdown text={row.text} plain />
          </li>
        ))}
      </ol>
      {!all && rows.length > SAMPLES_SHOWN && (
        <button type="button" className="button" onClick={() => setAll(true)}>
          {t.common.more}
        </button>
      )}
    </section>
  );
}

function Rollouts({ id }: { id: string }) {
  const [open, setOpen] = useState(false);
  const rollouts = useRollouts(id, open);
  const sets = rollouts.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <details className="panel" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t.runs.rollouts}</summary>
      {rollouts.isFetching && <Loading />}
      {rollouts.error && <ErrorNotice error={rollouts.error} onRetry={() => void rollouts.refetch()} />}
      {rollouts.data && sets.length === 0 && <p className="muted">{t.runs.noRollouts}</p>}
      <ol className="samples">
        {sets.map((set, index) => (
          <li key={`${set.prompt_id}-${set.policy}-${index}`} className="rollout-set">
            {set.prompt && <Conversation messages={set.prompt} plain />}
            {set.rollouts.map((rollout, position) => (
              <div key={rollout.index} className="rollout">
                <p className="muted">
                  {t.runs.rollout(set.policy, rollout.index + 1, rollout.token_ids.length)}
                  {set.scores[position] !== undefined && ` · ${t.runs.score(number(set.scores[position]))}`}
                </p>
                <Markdown text={rollout.text} plain />
              </div>
            ))}
          </li>
        ))}
      </ol>
      {rollouts.hasNextPage && (
        <button type="button" className="button" onClick={() => void rollouts.fetchNextPage()}>
          {t.common.more}
        </button>
      )}
    </details>
  );
}

/** Lines at the end of the log that are shown without asking. */
const TAIL = 40;

function Log({ id, live, fallback }: { id: string; live: boolean; fallback: string }) {
  const log = useLog(id, live);
  const [whole, setWhole] = useState(false);
  const text = log.data?.text ? log.data.text : fallback;
  if (text === "") return null;
  const lines = text.trimEnd().split("\n");
  return (
    <section aria-labelledby="log">
      <h2 id="log">{t.runs.log}</h2>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling area needs the keyboard */}
      <pre className="log" tabIndex={0}>
        {(whole ? lines : lines.slice(-TAIL)).join("\n")}
      </pre>
      {!whole && lines.length > TAIL && (
        <button type="button" className="button small" onClick={() => setWhole(true)}>
          {t.runs.wholeLog}
        </button>
      )}
    </section>
  );
}
