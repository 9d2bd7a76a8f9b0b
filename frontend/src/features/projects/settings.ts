/** Between a project and the form for its settings. */
import type { Project } from "../../api/types";

export const NUMBERS = ["k", "overlap", "lease_seconds", "likert_points"] as const;
export const SWITCHES = [
  "allow_ties",
  "allow_partial",
  "allow_unacceptable",
  "ask_rationale",
  "ask_confidence",
] as const;

type Texts = Record<"name" | "description" | "flags" | "hourly_rate" | (typeof NUMBERS)[number], string>;
type Switches = Record<(typeof SWITCHES)[number], boolean>;
export type SettingsFields = Texts & Switches;

export function formOf(project: Project): SettingsFields {
  const numbers = Object.fromEntries(NUMBERS.map((name) => [name, String(project[name])]));
  const switches = Object.fromEntries(SWITCHES.map((name) => [name, project[name]]));
  return {
    name: project.name,
    description: project.description,
    flags: project.flags.join(", "),
    hourly_rate: project.hourly_rate ?? "",
    ...numbers,
    ...switches,
  } as SettingsFields;
}

/** Text that is no number is sent as it is; the server knows the rules and says what is wrong. */
export function changesOf(project: Project, form: SettingsFields): Partial<Project> {
  const before = formOf(project);
  const changes: Record<string, unknown> = {};
  for (const name of Object.keys(before) as (keyof SettingsFields)[]) {
    if (form[name] === before[name]) continue;
    changes[name] = sent(name, form[name]);
  }
  return changes;
}

function sent(name: keyof SettingsFields, value: string | boolean): unknown {
  if (typeof value === "boolean") return value;
  const text = value.trim();
  if (name === "flags") {
    return text
      .split(",")
      .map((flag) => flag.trim())
      .filter(Boolean);
  }
  if (name === "hourly_rate") return text === "" ? null : text;
  if ((NUMBERS as readonly string[]).includes(name)) {
    return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
  }
  return value;
}
