import { Intervals } from "../../components/Interval";
import { number } from "../../components/format";
import { t } from "../../texts/en";
import { accuracies, listed, nested, winRates } from "./report";

export function ReportView({ report }: { report: Record<string, unknown> }) {
  const accuracy = accuracies(report);
  const wins = winRates(report);
  return (
    <section className="panel" aria-labelledby="report">
      <h2 id="report">{t.report.title}</h2>
      {accuracy.length > 0 && <Intervals estimates={accuracy} from={0.3} to={1} />}
      {wins.length > 0 && <Intervals estimates={wins} from={0} to={1} />}
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
      {nested(report).map(([name, value]) => (
        <details key={name}>
          <summary>{t.words(name)}</summary>
          <pre className="log">{JSON.stringify(value, null, 2)}</pre>
        </details>
      ))}
    </section>
  );
}
