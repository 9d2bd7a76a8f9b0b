/** What of a report is drawn, and what is listed. */
import type { Estimate } from "../../components/Interval";
import { t } from "../../texts";
import { bounds, isRecord } from "./rewardReport";

type Report = Record<string, unknown>;

/** Accuracy beside what it must beat and what it cannot beat. Empty for runs that report none. */
export function accuracies(report: Report): Estimate[] {
  const found: Estimate[] = [];
  const add = (label: string, value: unknown, interval: unknown, kind: NonNullable<Estimate["kind"]>) => {
    if (typeof value === "number") found.push({ label, value, ...bounds(interval), kind });
  };
  add(t.report.accuracy, report["accuracy"], report["accuracy_ci"], "main");
  if (found.length === 0) return [];
  add(t.report.lengthBaseline, report["length_baseline"], report["length_baseline_ci"], "baseline");
  const ceiling = report["ceiling"];
  if (isRecord(ceiling)) add(t.report.ceiling, ceiling["agreement"], ceiling["ci"], "ceiling");
  return found;
}

export function winRates(report: Report): Estimate[] {
  const found: Estimate[] = [];
  for (const [name, value] of Object.entries(report)) {
    if (!name.endsWith("win_rate") || typeof value !== "number") continue;
    found.push({ label: t.words(name), value, ...bounds(report[`${name}_ci`]) });
  }
  return found;
}

/** Numbers and words of the report, in its own order; an interval stands with its value. */
export function listed(
  report: Report,
): { name: string; value: unknown; interval: [number, number] | null }[] {
  return Object.entries(report)
    .filter(([name, value]) => !name.endsWith("_ci") && (value === null || typeof value !== "object"))
    .map(([name, value]) => {
      const { low, high } = bounds(report[`${name}_ci`]);
      return { name, value, interval: low !== null && high !== null ? [low, high] : null };
    });
}

/** Whatever has structure of its own: shown as JSON on demand. */
export function nested(report: Report): [string, unknown][] {
  return Object.entries(report).filter(
    ([name, value]) =>
      typeof value === "object" && value !== null && !name.endsWith("_ci") && name !== "ceiling",
  );
}
