import { useState } from "react";
import type { Run } from "../../api/types";
import { spell } from "../../components/format";
import { ProgressBar } from "../../components/Status";
import { t } from "../../texts";
import { type Seen, see, timeLeft } from "./timeLeft";

/** How far a run is, and how long the stage still takes at the speed seen; `at` is when the run was last asked about. */
export function RunProgress({ run, at }: { run: Run; at: number }) {
  const { progress } = run;
  const [seen, setSeen] = useState<Seen | null>(null);
  const now = see(seen, progress, at);
  if (now !== seen) setSeen(now);
  const left = timeLeft(now, progress);
  return (
    <section className="panel" aria-label={t.runs.progress}>
      <p className="progress-line">
        <strong>{progress.stage ? t.words(progress.stage) : t.runs.statuses[run.status]}</strong>{" "}
        <span className="muted">{progress.text}</span>
        {progress.total > 0 && (
          <span className="muted num">
            {progress.done.toLocaleString()} / {progress.total.toLocaleString()}
            {left !== null && ` · ${t.runs.timeLeft(spell(left))}`}
          </span>
        )}
      </p>
      <ProgressBar done={progress.done} total={progress.total} label={t.runs.progressOf(run.name)} />
    </section>
  );
}
