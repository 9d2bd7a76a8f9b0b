/** Between what is typed into the form for a new run and what the server takes. */
import type { RunOption } from "../../api/types";

export type Typed = Record<string, string | boolean>;

export function defaults(options: readonly RunOption[], like: Readonly<Record<string, unknown>> = {}): Typed {
  return Object.fromEntries(
    options.map((option) => {
      const value = like[option.name];
      return [option.name, asTyped(isOptionValue(value) ? value : option.default)];
    }),
  );
}

function asTyped(value: RunOption["default"]): string | boolean {
  return typeof value === "boolean" ? value : String(value);
}

function isOptionValue(value: unknown): value is RunOption["default"] {
  return ["string", "number", "boolean"].includes(typeof value);
}

/**
 * Only what differs from the defaults, so that a default stays the server's. Text that is no number is sent as
 * it is: the server refuses it with a sentence, and there is one place that knows the rules.
 */
export function toConfig(options: readonly RunOption[], typed: Typed): Record<string, unknown> {
  const config: Record<string, unknown> = {};
  for (const option of options) {
    const value = valueOf(option, typed[option.name]);
    if (value !== option.default) config[option.name] = value;
  }
  return config;
}

function valueOf(option: RunOption, text: string | boolean | undefined): unknown {
  if (text === undefined) return option.default;
  if (typeof text === "boolean" || option.type === "str") return text;
  const trimmed = text.trim();
  const value = Number(trimmed);
  return trimmed !== "" && Number.isFinite(value) ? value : trimmed;
}

/** The accepted range in words; empty where anything goes. */
export function rangeOf(option: RunOption, words: { above: string; least: string; most: string }): string {
  const parts = [];
  if (option.above !== null) parts.push(`${words.above} ${option.above}`);
  if (option.least !== null) parts.push(`${words.least} ${option.least}`);
  if (option.most !== null) parts.push(`${words.most} ${option.most.toLocaleString("en")}`);
  return parts.join(", ");
}
