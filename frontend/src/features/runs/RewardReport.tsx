/** A reward model's report: is it right, is it honest about how sure it is, and does it only like long answers? */
import { Link } from "react-router";
import { Chart } from "../../components/Chart";
import { Intervals } from "../../components/Interval";
import { number } from "../../components/format";
import { Table } from "../../components/Table";
import { t } from "../../texts";
import {
  type Measured,
  type Share,
  bestOfN,
  bounds,
  calibration,
  ensemble,
  learningCurve,
  leaveOut,
  lengthBias,
  mostDisagreed,
  shares,
} from "./rewardReport";

type Json = Record<string, unknown>;
const PARTS = ["per_labeler", "per_source", "per_guideline", "per_flag"] as const;
const HEIGHT = 240;
/** Names beyond this many stay folded; a project may have a hundred labelers. */
const SHOWN = 12;

export function RewardReport({ slug, report }: { slug: string; report: Json }) {
  return (
    <>
      <div className="charts wide">
        <Calibration report={report} />
        <LearningCurve report={report} />
        <BestOfN report={report} />
        <Length report={report} />
      </div>
      {PARTS.map((part) => (
        <Shares key={part} title={t.report.parts[part]} shares={shares(report, part)} />
      ))}
      <Ensemble report={report} />
      <LeaveOut report={report} />
      <MostDisagreed slug={slug} report={report} />
    </>
  );
}

function Calibration({ report }: { report: Json }) {
  const bins = calibration(report);
  if (bins.length === 0) return null;
  return (
    <div>
      <Chart
        label={t.report.calibration}
        lines={[
          { label: t.report.perfect, x: [0.5, 1], y: [0.5, 1], color: "muted", draw: "dashed" },
          { label: t.report.observed, x: bins.map((bin) => bin.predicted), ...drawn(bins), color: 0 },
        ]}
        height={HEIGHT}
        xLabel={t.report.predicted}
        xRange={[0.5, 1]}
        yRange={[Math.min(0.4, ...bins.map((bin) => bin.low ?? bin.value)), 1]}
        legend
      />
      <p className="help">{t.report.calibrationHelp}</p>
      <AsTable
        heads={[t.report.predicted, t.report.observed, t.report.pairs]}
        rows={bins.map((bin) => [number(bin.predicted), withInterval(bin), number(bin.pairs)])}
      />
    </div>
  );
}

function LearningCurve({ report }: { report: Json }) {
  const points = learningCurve(report);
  if (points.length < 2) return null;
  return (
    <div>
      <Chart
        label={t.report.learningCurve}
        lines={[
          {
            label: t.report.heldoutAccuracy,
            x: points.map((point) => point.rankings),
            ...drawn(points),
            color: 0,
          },
        ]}
        height={HEIGHT}
        xLabel={t.report.rankings}
      />
      <p className="help">{t.report.learningCurveHelp}</p>
      <AsTable
        heads={[t.report.rankings, t.report.heldoutAccuracy]}
        rows={points.map((point) => [number(point.rankings), withInterval(point)])}
      />
    </div>
  );
}

function BestOfN({ report }: { report: Json }) {
  const points = bestOfN(report);
  if (points.length < 2) return null;
  const x = points.map((point) => point.n);
  return (
    <div>
      <Chart
        label={t.report.bestOfN}
        lines={[
          { label: t.report.pickOfPeople, x, ...drawn(points.map((point) => point.labeler)), color: 1 },
          { label: t.report.pickOfModel, x, ...drawn(points.map((point) => point.model)), color: 0 },
        ]}
        height={HEIGHT}
        xLabel={t.report.candidates}
        legend
      />
      <p className="help">{t.report.bestOfNHelp}</p>
    </div>
  );
}

function Length({ report }: { report: Json }) {
  const bins = lengthBias(report);
  const rho = report["reward_length_spearman"];
  const sides = [
    ["accuracy_longer_won", t.report.longerWon],
    ["accuracy_longer_lost", t.report.longerLost],
  ].flatMap(([name = "", label = ""]) => {
    const value = report[name];
    return typeof value === "number" ? [{ label, value, ...bounds(report[`${name}_ci`]) }] : [];
  });
  if (bins.length === 0 && sides.length === 0) return null;
  const x = bins.map((bin) => (bin.low + bin.high) / 2);
  return (
    <div>
      {bins.length > 0 && (
        <Chart
          label={t.report.lengthBias}
          lines={[
            { label: t.report.byPeople, x, ...drawn(bins.map((bin) => bin.human)), color: 1 },
            { label: t.report.byModel, x, ...drawn(bins.map((bin) => bin.model)), color: 0 },
          ]}
          height={HEIGHT}
          xLabel={t.report.tokens}
          yRange={[0, 1]}
          legend
        />
      )}
      <p className="help">
        {t.report.lengthHelp} {typeof rho === "number" && t.report.lengthRho(number(rho))}
      </p>
      <Intervals estimates={sides} from={0} to={1} narrow />
    </div>
  );
}

function Shares({ title, shares: found }: { title: string; shares: Share[] }) {
  if (found.length === 0) return null;
  return (
    <details open={found.length <= SHOWN}>
      <summary>{title}</summary>
      <Intervals
        estimates={found.map(({ name, pairs, ...measured }) => ({
          label: t.report.withPairs(t.flag(name), pairs),
          ...measured,
        }))}
        from={0}
        to={1}
      />
    </details>
  );
}

function Ensemble({ report }: { report: Json }) {
  const { combined, alone } = ensemble(report);
  if (combined.length === 0) return null;
  return (
    <details open>
      <summary>{t.report.ensemble}</summary>
      <Intervals
        estimates={[
          ...combined.map(({ name, value, low, high }) => ({ label: t.words(name), value, low, high })),
          ...alone.map((value, index) => ({
            label: t.report.member(index + 1),
            value,
            low: null,
            high: null,
            kind: "baseline" as const,
          })),
        ]}
        from={0.3}
        to={1}
      />
    </details>
  );
}

function LeaveOut({ report }: { report: Json }) {
  const found = leaveOut(report);
  if (found.length === 0) return null;
  return (
    <details open={found.length <= SHOWN}>
      <summary>{t.report.leaveOut}</summary>
      <p className="help">{t.report.leaveOutHelp}</p>
      <Table
        heads={[t.projects.labeler, t.report.rankings, t.report.onAll, t.report.onOthers]}
        rows={found.map((row) => [
          row.labeler,
          number(row.rankings),
          withInterval(row.all),
          withInterval(row.others),
        ])}
      />
    </details>
  );
}

function MostDisagreed({ slug, report }: { slug: string; report: Json }) {
  const found = mostDisagreed(report);
  if (found.length === 0) return null;
  return (
    <details open>
      <summary>{t.report.mostDisagreed}</summary>
      <p className="help">{t.report.mostDisagreedHelp}</p>
      <Table
        heads={[t.report.ranking, t.projects.labeler, t.report.wrongPairs, t.report.logLoss]}
        rows={found.map((row) => [
          <Link key={row.id} className="code" to={`/p/${slug}/answers/${row.id}`}>
            {row.id.slice(0, 8)}
          </Link>,
          row.labeler,
          row.wrong === null || row.pairs === null ? "–" : `${row.wrong} / ${row.pairs}`,
          number(row.logLoss),
        ])}
      />
    </details>
  );
}

function AsTable(props: { heads: string[]; rows: React.ReactNode[][] }) {
  return (
    <details>
      <summary>{t.report.asTable}</summary>
      <Table {...props} />
    </details>
  );
}

/** Values and their bounds as the chart takes them; a measure that is undefined leaves a gap. */
function drawn(measured: (Measured | null)[]) {
  return {
    y: measured.map((each) => each?.value ?? null),
    low: measured.map((each) => each?.low ?? null),
    high: measured.map((each) => each?.high ?? null),
  };
}

function withInterval(measured: Measured | null): string {
  if (measured === null) return "–";
  const { value, low, high } = measured;
  if (low === null || high === null) return number(value);
  return `${number(value)} (${t.report.interval(number(low), number(high))})`;
}
