import type { SavingState } from "../api/draft";
import { t } from "../texts";

export function SavingNote({ state }: { state: SavingState }) {
  return (
    <span className={`saving saving-${state}`} role="status">
      {t.work.saving[state]}
    </span>
  );
}

export function Badge({
  tone,
  children,
}: {
  tone: "good" | "bad" | "busy" | "quiet";
  children: React.ReactNode;
}) {
  return <span className={`badge badge-${tone}`}>{children}</span>;
}

export function ProgressBar({ done, total, label }: { done: number; total: number; label: string }) {
  return (
    <progress
      className="bar"
      value={total > 0 ? done : undefined}
      max={total > 0 ? total : undefined}
      aria-label={label}
    />
  );
}
