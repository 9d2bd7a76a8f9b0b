/** Which rollout sets are shown, and in what order. */
import type { RolloutSet } from "../../api/types";

export const ORDERS = ["given", "best", "worst", "spread"] as const;
export type Order = (typeof ORDERS)[number];

export interface Wanted {
  order: Order;
  /** Empty: every policy. */
  policy: string;
  /** Empty: everything; else text that the prompt or a rollout contains, whatever its case. */
  words: string;
}

/** Sets without scores come last where the order is by score. */
export function arranged(sets: readonly RolloutSet[], { order, policy, words }: Wanted): RolloutSet[] {
  const wanted = words.trim().toLowerCase();
  const found = sets.filter(
    (set) => (policy === "" || set.policy === policy) && (wanted === "" || contains(set, wanted)),
  );
  if (order === "given") return found;
  const key = (set: RolloutSet) => (set.scores.length === 0 ? -Infinity : value(set.scores, order));
  return found.toSorted((a, b) => key(b) - key(a));
}

function value(scores: readonly number[], order: Exclude<Order, "given">): number {
  const best = Math.max(...scores);
  const worst = Math.min(...scores);
  return { best, worst: -worst, spread: best - worst }[order];
}

function contains(set: RolloutSet, words: string): boolean {
  const texts = [...(set.prompt ?? []).map((turn) => turn.content), ...set.rollouts.map(({ text }) => text)];
  return texts.some((text) => text.toLowerCase().includes(words));
}
