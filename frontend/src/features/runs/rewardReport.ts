/**
 * The parts of a reward model's report, as `contracts/reports.py` names them. A report is the JSON of its run and
 * may be older than this page, so a part that is missing or of another form is left out.
 */

type Json = Record<string, unknown>;

export interface Measured {
  value: number;
  low: number | null;
  high: number | null;
}

export interface Share extends Measured {
  name: string;
  pairs: number;
}

export interface Bin extends Measured {
  predicted: number;
  pairs: number;
}

export interface CurvePoint extends Measured {
  rankings: number;
}

export interface LengthBin {
  low: number;
  high: number;
  responses: number;
  human: Measured | null;
  model: Measured | null;
}

export interface BestOf {
  n: number;
  model: Measured | null;
  labeler: Measured | null;
}

export interface LeftOut {
  labeler: string;
  rankings: number;
  /** What leaving this labeler out changes in accuracy, on every held-out pair and on those of the others. */
  all: Measured | null;
  others: Measured | null;
}

export interface Disagreed {
  id: string;
  labeler: string;
  logLoss: number;
  wrong: number | null;
  pairs: number | null;
}

/** True for reports that a reward model's fit or evaluation makes. */
export function isRewardReport(report: Json): boolean {
  return Array.isArray(report["calibration"]) && "accuracy" in report;
}

export function calibration(report: Json): Bin[] {
  return rows(report["calibration"]).flatMap((bin) => {
    const observed = measured(bin, "observed", "ci");
    const predicted = bin["predicted"];
    if (observed === null || typeof predicted !== "number") return [];
    return [{ predicted, ...observed, pairs: numberOr(bin["pairs"], 0) }];
  });
}

/** Accuracy on held-out pairs against how many rankings the model was fitted on; fewest first. */
export function learningCurve(report: Json): CurvePoint[] {
  return rows(report["learning_curve"])
    .flatMap((point) => {
      const accuracy = measured(point, "accuracy", "accuracy_ci");
      const { rankings } = point;
      return accuracy === null || typeof rankings !== "number" ? [] : [{ rankings, ...accuracy }];
    })
    .sort((a, b) => a.rankings - b.rankings);
}

export function lengthBias(report: Json): LengthBin[] {
  return rows(report["length_bias"]).flatMap((bin) => {
    const { low, high } = bin;
    if (typeof low !== "number" || typeof high !== "number") return [];
    return [
      {
        low,
        high,
        responses: numberOr(bin["responses"], 0),
        human: measured(bin, "human", "human_ci"),
        model: measured(bin, "model", "model_ci"),
      },
    ];
  });
}

/** What the model's pick of n is worth to people, fewest first; it falls where more picking makes responses worse. */
export function bestOfN(report: Json): BestOf[] {
  return rows(report["best_of_n"])
    .flatMap((row) => {
      const { n } = row;
      if (typeof n !== "number") return [];
      return [
        { n, model: measured(row, "model", "model_ci"), labeler: measured(row, "labeler", "labeler_ci") },
      ];
    })
    .sort((a, b) => a.n - b.n);
}

/** Accuracy by labeler, policy version or flag; most pairs first. */
export function shares(report: Json, part: string): Share[] {
  const found = report[part];
  if (!isRecord(found)) return [];
  return Object.entries(found)
    .flatMap(([name, slice]) => share(name, slice))
    .sort((a, b) => b.pairs - a.pairs);
}

/** What the members of an ensemble are worth together, by how they are combined, and each alone. */
export function ensemble(report: Json): { combined: Share[]; alone: number[] } {
  const found = isRecord(report["ensemble"]) ? report["ensemble"] : {};
  const combinations = isRecord(found["combinations"]) ? found["combinations"] : {};
  const members = Array.isArray(found["members"]) ? (found["members"] as unknown[]) : [];
  return {
    combined: Object.entries(combinations).flatMap(([name, slice]) => share(name, slice)),
    alone: members.filter((value) => typeof value === "number"),
  };
}

export function leaveOut(report: Json): LeftOut[] {
  return rows(report["leave_out"]).flatMap((row) => {
    const { labeler } = row;
    if (typeof labeler !== "string") return [];
    const change = (name: string) =>
      isRecord(row[name]) ? measured(row[name], "difference", "difference_ci") : null;
    return [
      { labeler, rankings: numberOr(row["rankings"], 0), all: change("all"), others: change("others") },
    ];
  });
}

export function mostDisagreed(report: Json): Disagreed[] {
  return rows(report["most_disagreed"]).flatMap((row) => {
    const { id, log_loss: logLoss, labeler, wrong, pairs } = row;
    if (typeof id !== "string" || typeof logLoss !== "number") return [];
    return [
      {
        id,
        logLoss,
        labeler: typeof labeler === "string" ? labeler : "",
        wrong: typeof wrong === "number" ? wrong : null,
        pairs: typeof pairs === "number" ? pairs : null,
      },
    ];
  });
}

/** Parts that are drawn, which therefore need not be shown as JSON. */
export const DRAWN = [
  "calibration",
  "learning_curve",
  "length_bias",
  "best_of_n",
  "leave_out",
  "ensemble",
  "per_labeler",
  "per_source",
  "per_guideline",
  "per_flag",
  "most_disagreed",
];

function share(name: string, slice: unknown): Share[] {
  const accuracy = isRecord(slice) ? measured(slice, "accuracy", "ci") : null;
  return accuracy === null || !isRecord(slice)
    ? []
    : [{ name, ...accuracy, pairs: numberOr(slice["pairs"], 0) }];
}

function measured(row: Json, name: string, interval: string): Measured | null {
  const value = row[name];
  return typeof value === "number" ? { value, ...bounds(row[interval]) } : null;
}

export function bounds(interval: unknown): { low: number | null; high: number | null } {
  const [low, high] = Array.isArray(interval) ? (interval as unknown[]) : [];
  return typeof low === "number" && typeof high === "number" ? { low, high } : { low: null, high: null };
}

export function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function rows(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}
