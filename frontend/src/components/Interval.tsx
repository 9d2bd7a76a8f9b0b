/** Shares with their 95 % intervals on one common scale, so that overlap is seen at a glance. */
import { t } from "../texts";
import { percent } from "./format";

export interface Estimate {
  label: string;
  value: number;
  low: number | null;
  high: number | null;
  /** Drawn as the bound it is. */
  kind?: "main" | "baseline" | "ceiling";
}

export function Intervals(props: {
  estimates: Estimate[];
  from: number;
  to: number;
  /** Name, bar and number one below the other, for a column. */
  narrow?: boolean;
}) {
  const { estimates, from, to, narrow = false } = props;
  if (estimates.length === 0) return null;
  const at = (value: number) => `${(100 * (Math.min(Math.max(value, from), to) - from)) / (to - from)}%`;
  return (
    <dl className={narrow ? "intervals narrow" : "intervals"}>
      {estimates.map(({ label, value, low, high, kind }) => (
        <div key={label} className={`interval interval-${kind ?? "main"}`}>
          <dt>{label}</dt>
          <dd>
            <span className="interval-track" aria-hidden="true">
              {low !== null && high !== null && (
                <span
                  className="interval-range"
                  style={{ left: at(low), width: `calc(${at(high)} - ${at(low)})` }}
                />
              )}
              <span className="interval-point" style={{ left: at(value) }} />
            </span>
            <span className="interval-text">
              <strong>{percent(value)}</strong>
              {low !== null && high !== null && (
                <span className="muted"> {t.report.interval(percent(low), percent(high))}</span>
              )}
            </span>
          </dd>
        </div>
      ))}
    </dl>
  );
}
