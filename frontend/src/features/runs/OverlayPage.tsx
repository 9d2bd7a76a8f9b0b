/** Several runs over one another, one chart a measure: which of them went better? */
import { useMemo, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { isLive, useManyMetrics, useManyRuns } from "../../api/runs";
import type { Run } from "../../api/types";
import { Chart, SERIES_COLORS } from "../../components/Chart";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { number } from "../../components/format";
import { t } from "../../texts";
import { Smoothing, useSmoothing } from "./Smoothing";
import { differences, overlaid, smoothed } from "./series";

const CHARTS_SHOWN = 12;

export function OverlayPage() {
  const { slug = "" } = useParams();
  const [search] = useSearchParams();
  const ids = search.getAll("run").slice(0, SERIES_COLORS);
  const queries = useManyRuns(ids);
  const runs = queries.flatMap((query) => query.data ?? []);
  const problem = queries.find((query) => query.error)?.error;
  return (
    <div className="page">
      <p>
        <Link to={`/p/${slug}/runs`}>{t.runs.all}</Link>
      </p>
      <h1>{t.overlay.title}</h1>
      {problem && <ErrorNotice error={problem} />}
      {ids.length < 2 && <p className="empty">{t.overlay.few}</p>}
      {runs.length < ids.length && !problem && <Loading />}
      {ids.length > 1 && runs.length === ids.length && <Overlay slug={slug} runs={runs} />}
    </div>
  );
}

function Overlay({ slug, runs }: { slug: string; runs: Run[] }) {
  const metrics = useManyMetrics(runs.map((run) => ({ id: run.id, live: isLive(run) })));
  const [weight, setWeight] = useSmoothing();
  const [all, setAll] = useState(false);
  const rows = metrics.map((query) => query.data?.rows ?? []);
  const charts = useMemo(() => overlaid(rows), [rows]);
  const settings = differences(runs.map((run) => ({ seed: run.seed, ...run.config })));
  return (
    <>
      <div className="scroll-x">
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t.overlay.differs}</th>
              {runs.map((run, index) => (
                <th key={run.id} scope="col">
                  <span className={`swatch swatch-${index}`}>
                    <Link to={`/p/${slug}/runs/${run.id}`}>{run.name}</Link>
                  </span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {settings.map(({ name, values }) => (
              <tr key={name}>
                <th scope="row">{t.words(name)}</th>
                {values.map((value, index) => (
                  <td key={index}>{number(value)}</td>
                ))}
              </tr>
            ))}
            {settings.length === 0 && (
              <tr>
                <td colSpan={runs.length + 1}>{t.overlay.same}</td>
              </tr>
            )}
          </tbody>
        </table>
      </div>
      <header className="page-head">
        <h2>{t.runs.metrics}</h2>
        <Smoothing weight={weight} onWeight={setWeight} />
      </header>
      <div className="charts">
        {(all ? charts : charts.slice(0, CHARTS_SHOWN)).map(({ name, series }) => (
          <Chart
            key={name}
            label={t.words(name)}
            syncKey="overlay"
            lines={series.flatMap((each, index) => {
              if (each === null) return [];
              const y = smoothed(each.values, weight);
              return [{ label: runs[index]?.name ?? "", x: each.steps, y, color: index }];
            })}
          />
        ))}
      </div>
      {!all && charts.length > CHARTS_SHOWN && (
        <button type="button" className="button small more" onClick={() => setAll(true)}>
          {t.runs.allMetrics(charts.length)}
        </button>
      )}
    </>
  );
}
