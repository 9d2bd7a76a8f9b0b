/** Between a project and the form for its settings. */
import type { Project } from "../../api/types";

/** Whole numbers and shares, by what they are about; null, where it is allowed, is an empty field. */
export const GROUPS = {
  tasks: ["k", "overlap", "lease_seconds", "likert_points"],
  order: ["random_share", "anchor_share"],
  quality: ["gold_share", "repeat_share", "repeat_distance", "skips_to_halt", "flags_to_halt"],
  data: ["heldout_share", "retention_days"],
} as const;

export const NUMBERS = [...GROUPS.tasks, ...GROUPS.order, ...GROUPS.quality, ...GROUPS.data] as const;
export const SWITCHES = [
  "allow_ties",
  "allow_partial",
  "allow_unacceptable",
  "ask_rationale",
  "ask_confidence",
] as const;
/** Rules that warn and then pause, and that send items to review; an empty one is off. */
export const RULES = [
  "gold_accuracy",
  "self_consistency",
  "fast_share",
  "window",
  "least",
  "review_below",
  "stop_agreement",
  "stop_answers",
] as const;

export type NumberName = (typeof NUMBERS)[number];
export type RuleName = (typeof RULES)[number];
type Texts = Record<"name" | "description" | "flags" | "hourly_rate" | NumberName, string>;
type Switches = Record<(typeof SWITCHES)[number], boolean>;
export type SettingsFields = Texts & Switches & { rules: Record<RuleName, string> };

export function formOf(project: Project): SettingsFields {
  const numbers = Object.fromEntries(NUMBERS.map((name) => [name, shown(project[name])]));
  const switches = Object.fromEntries(SWITCHES.map((name) => [name, project[name]]));
  const rules = Object.fromEntries(RULES.map((name) => [name, shown(project.quality?.[name])]));
  return {
    name: project.name,
    description: project.description,
    flags: project.flags.join(", "),
    hourly_rate: project.hourly_rate ?? "",
    ...numbers,
    ...switches,
    rules,
  } as SettingsFields;
}

function shown(value: number | null | undefined): string {
  return value === null || value === undefined ? "" : String(value);
}

/** Text that is no number is sent as it is; the server knows the rules and says what is wrong. */
export function changesOf(project: Project, form: SettingsFields): Partial<Project> {
  const before = formOf(project);
  const changes: Record<string, unknown> = {};
  for (const name of Object.keys(before) as (keyof SettingsFields)[]) {
    if (name !== "rules" && form[name] !== before[name]) changes[name] = sent(name, form[name]);
  }
  const rules = RULES.filter((name) => form.rules[name] !== before.rules[name]);
  if (rules.length > 0)
    changes["quality"] = Object.fromEntries(rules.map((name) => [name, asNumber(form.rules[name])]));
  return changes;
}

function sent(name: Exclude<keyof SettingsFields, "rules">, value: string | boolean): unknown {
  if (typeof value === "boolean") return value;
  const text = value.trim();
  if (name === "flags") {
    return text
      .split(",")
      .map((flag) => flag.trim())
      .filter(Boolean);
  }
  if (name === "hourly_rate") return text === "" ? null : text;
  return (NUMBERS as readonly string[]).includes(name) ? asNumber(text) : value;
}

function asNumber(text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  return Number.isFinite(Number(trimmed)) ? Number(trimmed) : trimmed;
}
