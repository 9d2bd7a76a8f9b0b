import { useCallback, useEffect, useRef } from "react";

/** A pause longer than this is not work. */
const IDLE_MS = 30_000;

/**
 * Milliseconds of active work so far: pauses over 30 seconds and hidden tabs are left out.
 *
 * Returns a function, so that reading the time never renders anything.
 */
export function useActiveTime(startMs: number): () => number {
  const total = useRef(startMs);
  const last = useRef<number | null>(null);

  const mark = useCallback(() => {
    const now = performance.now();
    if (last.current !== null) total.current += activePart(now - last.current);
    last.current = document.visibilityState === "hidden" ? null : now;
  }, []);

  useEffect(() => {
    mark();
    const events = ["pointermove", "pointerdown", "keydown", "scroll", "visibilitychange"] as const;
    for (const name of events) document.addEventListener(name, mark, { passive: true, capture: true });
    return () => {
      for (const name of events) document.removeEventListener(name, mark, { capture: true });
    };
  }, [mark]);

  return useCallback(() => {
    mark();
    return total.current;
  }, [mark]);
}

/** How much of the time between two signs of life counts. */
export function activePart(gapMs: number): number {
  return Math.min(Math.max(gapMs, 0), IDLE_MS);
}
