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

/**
 * Exponential moving average with the start's bias taken out, as in Adam (Kingma & Ba 2015, section 3).
 *
 * `weight` in [0, 1) is how much of the past stays; 0 changes nothing. Values are shown, never stored.
 */
export function smoothed(values: readonly number[], weight: number): number[] {
  let mean = 0;
  let past = 1;
  return values.map((value) => {
    mean = weight * mean + (1 - weight) * value;
    past *= weight;
    return mean / (1 - past);
  });
}

/** One entry a measure, with the series of each run or null where it has none; what all of them measure comes first. */
export function overlaid(
  runs: readonly (readonly MetricRow[])[],
): { name: string; series: (Series | null)[] }[] {
  const each = runs.map((rows) => byImportance(toSeries(rows)));
  const names = [...new Set(each.flatMap((series) => series.map(({ name }) => name)))];
  const found = names.map((name) => ({
    name,
    series: each.map((series) => series.find((one) => one.name === name) ?? null),
  }));
  const shared = ({ series }: (typeof found)[number]) => series.filter((one) => one !== null).length;
  return found.toSorted((a, b) => shared(b) - shared(a));
}

/** Settings in which the runs are not all alike. */
export function differences(
  configs: readonly Readonly<Record<string, unknown>>[],
): { name: string; values: unknown[] }[] {
  const names = [...new Set(configs.flatMap((config) => Object.keys(config)))];
  return names
    .map((name) => ({ name, values: configs.map((config) => config[name]) }))
    .filter(({ values }) => new Set(values.map((value) => JSON.stringify(value))).size > 1);
}
