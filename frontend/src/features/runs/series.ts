/** Metric rows as one series per name, for charts. */
import type { MetricRow } from "../../api/types";

export interface Series {
  name: string;
  steps: number[];
  values: number[];
}

/** What an engineer looks at first, whatever the kind of run; the server sends names by the alphabet. */
const FIRST = [
  "loss",
  "heldout_loss",
  "accuracy",
  "heldout_accuracy",
  "score",
  "fixed_score",
  "kl",
  "fixed_kl",
  "reward",
  "entropy",
  "length",
  "eos_rate",
];

export function byImportance(series: readonly Series[]): Series[] {
  const place = ({ name }: Series) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return series.toSorted((a, b) => place(a) - place(b));
}

/**
 * A resumed run repeats steps: of two values of one step the later one counts. Rows of different names may
 * have different steps, so each name has its own.
 */
export function toSeries(rows: readonly MetricRow[]): Series[] {
  const byName = new Map<string, Map<number, number>>();
  for (const row of rows) {
    for (const [name, value] of Object.entries(row.values)) {
      if (value === null) continue;
      let steps = byName.get(name);
      if (steps === undefined) byName.set(name, (steps = new Map<number, number>()));
      steps.set(row.step, value);
    }
  }
  return [...byName].map(([name, steps]) => {
    const sorted = [...steps].sort(([a], [b]) => a - b);
    return { name, steps: sorted.map(([step]) => step), values: sorted.map(([, value]) => value) };
  });
}
