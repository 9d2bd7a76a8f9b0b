import { Intervals } from "../../components/Interval";
import { number } from "../../components/format";
import { t } from "../../texts";
import { RewardReport } from "./RewardReport";
import { accuracies, listed, nested, winRates } from "./report";
import { DRAWN, isRewardReport } from "./rewardReport";

export function ReportView({ slug, report }: { slug: string; report: Record<string, unknown> }) {
  const accuracy = accuracies(report);
  const wins = winRates(report);
  const reward = isRewardReport(report);
  const rest = nested(report).filter(([name]) => !reward || !DRAWN.includes(name));
  return (
    <section className="panel" aria-labelledby="report">
      <h2 id="report">{t.report.title}</h2>
      {accuracy.length > 0 && <Intervals estimates={accuracy} from={0.3} to={1} />}
      {wins.length > 0 && <Intervals estimates={wins} from={0} to={1} />}
      {reward && <RewardReport slug={slug} report={report} />}
      <Listed report={report} folded={reward} />
      {rest.map(([name, value]) => (
        <details key={name}>
          <summary>{t.words(name)}</summary>
          <pre className="log">{JSON.stringify(value, null, 2)}</pre>
        </details>
      ))}
    </section>
  );
}

/** Every number and word of the report; folded where the main ones are drawn. */
function Listed({ report, folded }: { report: Record<string, unknown>; folded: boolean }) {
  return (
    <details open={!folded}>
      <summary>{t.report.numbers}</summary>
      <dl className="facts">
        {listed(report).map(({ name, value, interval }) => (
          <div key={name}>
            <dt>{t.words(name)}</dt>
            <dd>
              {number(value)}
              {interval && (
                <span className="muted"> {t.report.interval(number(interval[0]), number(interval[1]))}</span>
              )}
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
