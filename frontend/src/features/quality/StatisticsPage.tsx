/** How much is done, what it costs, how long the queue is, and how old what people rank is. */
import { useParams } from "react-router";
import { useMeasure, useStatistics } from "../../api/quality";
import type { StatisticsNumbers, Throughput } from "../../api/types";
import { Chart } from "../../components/Chart";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { dateTime, number, spell } from "../../components/format";
import { Table } from "../../components/Table";
import { t } from "../../texts";

const DAY_SECONDS = 86_400;

export function StatisticsPage() {
  const { slug = "" } = useParams();
  const statistics = useStatistics(slug);
  const measure = useMeasure(slug);
  const data = statistics.data;
  if (statistics.isPending) return <Loading />;
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.statistics.title}</h1>
        <span className="row">
          {data?.measured_at && (
            <span className="muted">{t.quality.measured(dateTime(data.measured_at))}</span>
          )}
          <button
            type="button"
            className="button"
            disabled={measure.isPending || data?.measuring === true}
            onClick={() => measure.mutate()}
          >
            {data?.measuring ? t.quality.measuring : t.quality.measure}
          </button>
        </span>
      </header>
      {statistics.error && <ErrorNotice error={statistics.error} onRetry={() => void statistics.refetch()} />}
      {measure.error && <ErrorNotice error={measure.error} />}
      {data && data.statistics === null && <p className="empty">{t.quality.empty}</p>}
      {data?.statistics && <Numbers numbers={data.statistics} paid={data.hourly_rate !== null} />}
    </div>
  );
}

function Numbers({ numbers, paid }: { numbers: StatisticsNumbers; paid: boolean }) {
  return (
    <>
      <Total total={numbers.total} paid={paid} />
      <Days numbers={numbers} />
      <section className="panel" aria-labelledby="by-labeler">
        <h2 id="by-labeler">{t.statistics.byLabeler}</h2>
        <Table
          heads={[
            t.projects.labeler,
            t.projects.kinds.ranking,
            t.projects.kinds.demonstration,
            t.projects.kinds.comparison,
            t.statistics.late,
            t.statistics.minutes,
            t.statistics.minutesEach,
            ...(paid ? [t.statistics.costEach] : []),
          ]}
          rows={numbers.labelers.map((row) => [
            row.labeler,
            number(row.rankings),
            number(row.demonstrations),
            number(row.comparisons),
            number(row.late_answers),
            time(row.active_minutes),
            time(row.active_minutes_per_usable_comparison),
            ...(paid ? [number(row.cost_per_usable_comparison)] : []),
          ])}
        />
      </section>
      <section className="panel" aria-labelledby="queue">
        <h2 id="queue">{t.statistics.queue}</h2>
        <Table
          heads={[
            t.projects.tasks,
            t.projects.states.open,
            t.statistics.freeSlots,
            t.statistics.heldSlots,
            t.projects.states.done,
            t.projects.states.halted,
            t.statistics.closed,
          ]}
          rows={numbers.queue.map((row) => [
            t.projects.kinds[row.kind],
            number(row.open_tasks),
            number(row.free_slots),
            number(row.held_slots),
            number(row.done_tasks),
            number(row.halted_tasks),
            number(row.closed_tasks),
          ])}
        />
      </section>
      <section className="panel" aria-labelledby="staleness">
        <h2 id="staleness">{t.statistics.staleness}</h2>
        <p className="help">{t.statistics.stalenessHelp}</p>
        <Table
          heads={[
            t.statistics.source,
            t.statistics.behind,
            t.statistics.age,
            t.projects.states.open,
            t.statistics.answers,
            t.statistics.hoursToAnswer,
          ]}
          rows={numbers.staleness.map((row) => [
            row.name || row.reference,
            number(row.checkpoints_behind),
            row.age_days.toFixed(1),
            number(row.open_tasks),
            number(row.answers),
            time(row.mean_hours_from_rollout_to_answer, 60),
          ])}
        />
      </section>
    </>
  );
}

function Total({ total, paid }: { total: Throughput; paid: boolean }) {
  const figures: [string, string][] = [
    [t.projects.kinds.ranking, number(total.rankings)],
    [t.projects.kinds.demonstration, number(total.demonstrations)],
    [t.projects.kinds.comparison, number(total.comparisons)],
    [t.statistics.usable, number(total.usable_comparisons)],
    [t.statistics.minutesEach, time(total.active_minutes_per_usable_comparison)],
  ];
  if (paid) figures.push([t.statistics.costEach, number(total.cost_per_usable_comparison)]);
  return (
    <section className="panel" aria-label={t.statistics.total}>
      <dl className="figures">
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p className="help">{t.statistics.usableHelp}</p>
    </section>
  );
}

function Days({ numbers }: { numbers: StatisticsNumbers }) {
  const days = numbers.days.toSorted((a, b) => a.day.localeCompare(b.day));
  if (days.length === 0) return null;
  const x = days.map(({ day }) => Date.parse(day) / 1000);
  const answers = days.map((day) => day.rankings + day.demonstrations + day.comparisons);
  const first = x[0] ?? 0;
  const last = x.at(-1) ?? first;
  return (
    <div className="charts wide">
      <Chart
        label={t.statistics.answersADay}
        lines={[{ label: t.statistics.answers, x, y: answers, color: 0, draw: "bars" }]}
        xRange={[first - DAY_SECONDS, last + DAY_SECONDS]}
        yRange={[0, Math.max(...answers) * 1.05]}
        time
      />
      <Chart
        label={t.statistics.usableADay}
        lines={[
          {
            label: t.statistics.usable,
            x,
            y: days.map((day) => day.usable_comparisons),
            color: 1,
            draw: "bars",
          },
        ]}
        xRange={[first - DAY_SECONDS, last + DAY_SECONDS]}
        yRange={[0, Math.max(1, ...days.map((day) => day.usable_comparisons)) * 1.05]}
        time
      />
    </div>
  );
}

/** Minutes, or other multiples of them, as people say durations. */
function time(amount: number | null, minutes = 1): string {
  if (amount === null) return "–";
  const seconds = amount * minutes * 60;
  return seconds < 10 ? `${number(Number(seconds.toFixed(1)))} s` : spell(seconds);
}
