/** What a run measured, one chart a name, smoothed as the reader likes. */
import { useMemo, useState } from "react";
import { useMetrics } from "../../api/runs";
import { Chart, type Line } from "../../components/Chart";
import { ErrorNotice } from "../../components/ErrorNotice";
import { t } from "../../texts";
import { Smoothing, useSmoothing } from "./Smoothing";
import { type Series, byImportance, smoothed, toSeries } from "./series";

/** Three rows of charts; a PPO run measures more than thirty things. */
const CHARTS_SHOWN = 9;

export function Charts({ id, live }: { id: string; live: boolean }) {
  const metrics = useMetrics(id, live);
  const series = useMemo(() => byImportance(toSeries(metrics.data?.rows ?? [])), [metrics.data]);
  const [all, setAll] = useState(false);
  const [weight, setWeight] = useSmoothing();
  if (metrics.error) return <ErrorNotice error={metrics.error} onRetry={() => void metrics.refetch()} />;
  if (series.length === 0) return null;
  return (
    <section aria-labelledby="metrics">
      <header className="page-head">
        <h2 id="metrics">{t.runs.metrics}</h2>
        <Smoothing weight={weight} onWeight={setWeight} />
      </header>
      <div className="charts">
        {(all ? series : series.slice(0, CHARTS_SHOWN)).map((each) => (
          <MetricChart key={each.name} series={each} weight={weight} syncKey={id} />
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

function MetricChart({ series, weight, syncKey }: { series: Series; weight: number; syncKey: string }) {
  const label = t.words(series.name);
  const lines = useMemo(() => linesOf(series, label, weight), [series, label, weight]);
  return <Chart label={label} lines={lines} syncKey={syncKey} />;
}

function linesOf({ steps, values }: Series, label: string, weight: number): Line[] {
  if (weight === 0) return [{ label, x: steps, y: values, color: 0 }];
  return [
    { label: t.runs.raw, x: steps, y: values, color: "muted" },
    { label, x: steps, y: smoothed(values, weight), color: 0 },
  ];
}
