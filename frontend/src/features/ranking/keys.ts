/** Which command a key press means. Knows nothing of the DOM, so layouts can be tested as data. */

export type Command =
  | { type: "digit"; digit: number }
  | { type: "move"; direction: "up" | "down" }
  | { type: "tie" }
  | { type: "unacceptable" }
  | { type: "undo" }
  | { type: "submit" }
  | { type: "help" }
  | { type: "cancel" };

export type Press = Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">;

/**
 * Characters come first and physical digit keys second: AZERTY types `&` on its first digit key, and QWERTZ
 * types `=` on its shifted zero. Anything with Alt, and any other Ctrl or Cmd combination, is the browser's.
 */
export function commandOf(press: Press): Command | null {
  if (press.altKey) return null;
  if (press.ctrlKey || press.metaKey) {
    return press.key.toLowerCase() === "z" && !press.shiftKey ? { type: "undo" } : null;
  }
  switch (press.key) {
    case "=":
      return { type: "tie" };
    case "ArrowUp":
      return { type: "move", direction: "up" };
    case "ArrowDown":
      return { type: "move", direction: "down" };
    case "u":
    case "U":
      return { type: "undo" };
    case "Enter":
      return { type: "submit" };
    case "?":
      return { type: "help" };
    case "Escape":
      return { type: "cancel" };
  }
  const digit = digitOf(press);
  if (digit === null) return null;
  return digit === 0 ? { type: "unacceptable" } : { type: "digit", digit };
}

function digitOf(press: Press): number | null {
  if (/^[0-9]$/.test(press.key)) return Number(press.key);
  const physical = /^Digit([0-9])$/.exec(press.code)?.[1];
  return physical !== undefined && !press.shiftKey ? Number(physical) : null;
}
