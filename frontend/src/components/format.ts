/** Times and numbers for people, in the language of the page and the time zone of the browser. */
import { locale } from "../texts";

export function dateTime(iso: string | null | undefined): string {
  if (!iso) return "–";
  return new Date(iso).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "short" });
}

/** Duration between two instants, such as `3 min 20 s`. */
export function duration(fromIso: string | null, toIso: string | null): string {
  if (!fromIso) return "–";
  return spell(Math.max(0, ((toIso ? Date.parse(toIso) : Date.now()) - Date.parse(fromIso)) / 1000));
}

export function spell(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.round((whole % 3600) / 60)} min`;
}

/** A share of one as a percentage; the space and the comma are the language's own. */
export function percent(share: number): string {
  return share.toLocaleString(locale(), {
    style: "percent",
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  });
}

/** Short, without losing the order of magnitude. */
export function number(value: unknown): string {
  if (typeof value === "string" || typeof value === "boolean") return String(value);
  if (typeof value !== "number") return "–";
  if (!Number.isFinite(value)) return "–";
  if (Number.isInteger(value)) return value.toLocaleString(locale());
  const size = Math.abs(value);
  return size !== 0 && (size < 0.001 || size >= 10_000_000)
    ? value.toExponential(2)
    : value.toLocaleString(locale(), { maximumSignificantDigits: 4 });
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  if (count < 1024 ** 2) return `${(count / 1024).toFixed(1)} KiB`;
  return `${(count / 1024 ** 2).toFixed(1)} MiB`;
}
