/** What the common formats call their fields. */
export const FIELDS = [
  "prompt",
  "messages",
  "response",
  "responses",
  "chosen",
  "rejected",
  "system",
] as const;

/** The file's field: the format's field. One field of the file stands for one of the format's, and the reverse. */
export function withField(
  mapping: Readonly<Record<string, string>>,
  target: string,
  from: string,
): Record<string, string> {
  const kept = Object.entries(mapping).filter(([name, to]) => to !== target && name !== from);
  return Object.fromEntries(from === "" ? kept : [...kept, [from, target]]);
}
