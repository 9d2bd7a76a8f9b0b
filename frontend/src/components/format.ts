/** Times and numbers for people, in the browser's own locale. */

export function dateTime(iso: string | null | undefined): string {
  if (!iso) return "–";
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** Duration between two instants, such as `3 min 20 s`. */
export function duration(fromIso: string | null, toIso: string | null): string {
  if (!fromIso) return "–";
  const seconds = Math.max(0, ((toIso ? Date.parse(toIso) : Date.now()) - Date.parse(fromIso)) / 1000);
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Short, without losing the order of magnitude. */
export function number(value: unknown): string {
  if (typeof value === "string" || typeof value === "boolean") return String(value);
  if (typeof value !== "number") return "–";
  if (!Number.isFinite(value)) return "–";
  if (Number.isInteger(value)) return value.toLocaleString();
  const size = Math.abs(value);
  return size !== 0 && (size < 0.001 || size >= 10_000_000)
    ? value.toExponential(2)
    : value.toLocaleString(undefined, { maximumSignificantDigits: 4 });
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  if (count < 1024 ** 2) return `${(count / 1024).toFixed(1)} KiB`;
  return `${(count / 1024 ** 2).toFixed(1)} MiB`;
}
