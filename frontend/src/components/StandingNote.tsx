import type { Standing } from "../api/types";
import { t } from "../texts";

/** Tells a labeler that they were warned or paused, why, and what to do. Nothing where all is well. */
export function StandingNote({
  standing,
}: {
  standing: Pick<Standing, "state" | "reasons"> | null | undefined;
}) {
  if (!standing || standing.state === "good") return null;
  const why = standing.reasons.map(t.standing.reason).join(", ");
  return (
    <p className={standing.state === "paused" ? "notice notice-bad" : "notice notice-warn"} role="status">
      {standing.state === "paused" ? t.standing.youPaused(why) : t.standing.youWarned(why)}
    </p>
  );
}
