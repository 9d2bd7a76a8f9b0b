import type { Answer, Lease } from "../api/types";

/** What the page gives to each kind's screen. */
export interface TaskScreenProps {
  lease: Lease;
  onAnswered: (answer: Answer) => void;
  onSkipped: () => void;
  /** The task is lost; go on with another. */
  onLeave: () => void;
}
