/** How long a stage will still take, from what has been seen of it. */

interface Progress {
  stage: string;
  done: number;
  total: number;
}

export interface Seen {
  stage: string;
  /** The first and the newest sight of this stage: units done, and when, in milliseconds. */
  first: readonly [number, number];
  last: readonly [number, number];
}

/** A new stage starts anew; a resumed one that goes back does too. */
export function see(before: Seen | null, { stage, done }: Progress, now: number): Seen {
  const sight = [done, now] as const;
  if (before === null || before.stage !== stage || done < before.last[0])
    return { stage, first: sight, last: sight };
  return done === before.last[0] ? before : { ...before, last: sight };
}

/** Seconds, or null as long as nothing has moved. */
export function timeLeft(seen: Seen | null, { total, done }: Progress): number | null {
  if (seen === null) return null;
  const units = seen.last[0] - seen.first[0];
  const seconds = (seen.last[1] - seen.first[1]) / 1000;
  if (units <= 0 || seconds <= 0 || done >= total) return null;
  return ((total - done) * seconds) / units;
}
