/** What an export takes and in which form. Pure: the form keeps it, the address says it. */

/** The formats that carry each kind; a test holds this to the server's writers. */
export const FORMATS = {
  prompts: ["rankloop", "prompts", "csv"],
  demonstrations: [
    "rankloop",
    "trl",
    "trl-implicit",
    "trl-standard",
    "openai",
    "alpaca",
    "oasst",
    "csv",
    "parquet",
  ],
  rankings: [
    "rankloop",
    "trl",
    "trl-implicit",
    "trl-standard",
    "hh",
    "openai",
    "ranked",
    "oasst",
    "csv",
    "parquet",
  ],
  judgments: ["trl", "trl-implicit", "trl-standard", "csv", "parquet"],
} as const;

export const SPLITS = ["", "train", "heldout"] as const;
/** The kinds that people here make, or that are brought. */
export const PEOPLES: readonly ExportKind[] = ["demonstrations", "rankings"];
export const WHOSE = ["", "ours", "imported"] as const;

export type ExportKind = keyof typeof FORMATS;

export interface ExportChoice {
  kind: ExportKind;
  format: string;
  split: (typeof SPLITS)[number];
  /** Days in the browser's own time zone, both included; empty: no bound. */
  from: string;
  to: string;
  whose: (typeof WHOSE)[number];
  merged: boolean;
  minAgreement: string;
  minRankings: string;
  limit: string;
  pseudonyms: boolean;
  package: boolean;
}

export const FIRST: ExportChoice = {
  kind: "rankings",
  format: "rankloop",
  split: "",
  from: "",
  to: "",
  whose: "",
  merged: false,
  minAgreement: "",
  minRankings: "",
  limit: "",
  pseudonyms: false,
  package: false,
};

/** The choice with a change; what does not go together any more falls back. */
export function changed(choice: ExportChoice, change: Partial<ExportChoice>): ExportChoice {
  const next = { ...choice, ...change };
  const formats: readonly string[] = FORMATS[next.kind];
  if (!formats.includes(next.format)) next.format = formats[0] ?? "";
  if (next.format === "parquet") next.package = true;
  return next;
}

/** Only filters that the kind has: the server refuses one without effect. */
export function filtersOf(choice: ExportChoice): Record<string, unknown> {
  const filters: Record<string, unknown> = {};
  if (choice.split !== "") filters["split"] = choice.split;
  if (choice.limit !== "") filters["limit"] = Number(choice.limit);
  if (choice.from !== "") filters["since"] = startOf(choice.from, 0);
  if (choice.to !== "") filters["until"] = startOf(choice.to, 1);
  if (choice.whose !== "" && PEOPLES.includes(choice.kind)) filters["imported"] = choice.whose === "imported";
  if (choice.kind !== "rankings") return filters;
  if (choice.merged) filters["merge"] = "merged";
  if (choice.minAgreement !== "") filters["min_agreement"] = Number(choice.minAgreement);
  if (choice.minRankings !== "") filters["min_rankings"] = Number(choice.minRankings);
  return filters;
}

export function exportPath(slug: string, choice: ExportChoice): string {
  const search = new URLSearchParams({ kind: choice.kind, format: choice.format });
  const filters = filtersOf(choice);
  if (Object.keys(filters).length > 0) search.set("filters", JSON.stringify(filters));
  if (choice.pseudonyms) search.set("pseudonyms", "1");
  if (choice.package) search.set("package", "1");
  return `projects/${slug}/export?${search.toString()}`;
}

/** The same rows as lines of text, to look at. */
export function previewPath(slug: string, choice: ExportChoice): string {
  const format = choice.format === "parquet" ? "trl" : choice.format;
  return exportPath(slug, { ...choice, format, package: false });
}

/** The instant at which a day begins here, or the one `later` days after. */
function startOf(day: string, later: number): string {
  const start = new Date(`${day}T00:00`);
  start.setDate(start.getDate() + later);
  return start.toISOString();
}
