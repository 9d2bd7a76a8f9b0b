/** The id of the better response, "tie" or "both_bad". */
export type Choice = string;

export interface ComparisonDraft {
  choice: Choice | null;
  rationale: string;
  activeMs: number;
}

export function draftOf(stored: Record<string, unknown> | null, ids: readonly string[]): ComparisonDraft {
  const { choice, rationale, active_ms: active } = stored ?? {};
  const allowed = [...ids, "tie", "both_bad"];
  return {
    choice: typeof choice === "string" && allowed.includes(choice) ? choice : null,
    rationale: typeof rationale === "string" ? rationale : "",
    activeMs: typeof active === "number" && active > 0 ? active : 0,
  };
}

/** Digits choose a response, `=` a tie, `0` neither; unshifted AZERTY digit keys count as digits. */
export function choiceOfKey(
  press: Pick<KeyboardEvent, "key" | "code" | "shiftKey">,
  ids: readonly string[],
): Choice | null {
  if (press.key === "=") return "tie";
  const physical = press.shiftKey ? undefined : /^Digit([0-9])$/.exec(press.code)?.[1];
  const digit = /^[0-9]$/.test(press.key) ? press.key : physical;
  if (digit === undefined) return null;
  return digit === "0" ? "both_bad" : (ids[Number(digit) - 1] ?? null);
}
