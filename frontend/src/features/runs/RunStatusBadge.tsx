import type { Run } from "../../api/types";
import { Badge } from "../../components/Status";
import { t } from "../../texts";

const TONES = {
  queued: "quiet",
  running: "busy",
  succeeded: "good",
  failed: "bad",
  cancelled: "quiet",
} as const;

export function RunStatusBadge({ run }: { run: Run }) {
  return (
    <Badge tone={TONES[run.status]}>{run.cancelling ? t.runs.cancelling : t.runs.statuses[run.status]}</Badge>
  );
}
