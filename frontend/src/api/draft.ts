/** Keeps one task's draft safe: in this browser at once, on the server a moment later. No React here. */
import { asApiError, request } from "./client";
import type { DraftSaved, Lease } from "./types";

export type SavingState = "idle" | "saving" | "saved" | "offline" | "lost";
export type DraftBody = Record<string, unknown>;

export interface DraftKeeper {
  save: (body: DraftBody) => void;
  /** Sends what waits, also while the page goes away. */
  flush: () => void;
  /** After submitting: nothing more is saved and the local copy goes. */
  close: () => void;
  /** The screen is gone; what waits is still sent. */
  stop: () => void;
}

const DEBOUNCE_MS = 800;
const RETRY_MS = 5_000;

function localKey(lease: Lease): string {
  return `rankloop.draft.${lease.task.id}`;
}

/** The draft to start from: what did not reach the server wins over what did. */
export function startingDraft(lease: Lease): DraftBody | null {
  const kept = localStorage.getItem(localKey(lease));
  if (kept !== null) {
    try {
      return JSON.parse(kept) as DraftBody;
    } catch {
      localStorage.removeItem(localKey(lease));
    }
  }
  return lease.draft;
}

export function keepDraft(lease: Lease, onState: (state: SavingState) => void): DraftKeeper {
  let waiting: DraftBody | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  let stopped = false;

  async function send(keepalive: boolean): Promise<void> {
    const body = waiting;
    if (body === null || closed) return;
    clearTimeout(timer);
    if (lease.revises !== undefined) return;
    report("saving");
    try {
      const path = `leases/${lease.token}/draft`;
      const saved = await request<DraftSaved>("PUT", path, { body: { body }, keepalive });
      if (waiting !== body) return;
      waiting = null;
      localStorage.removeItem(localKey(lease));
      // A draft is kept even when the hold on its task has ended.
      report(saved.expires_at === null ? "lost" : "saved");
    } catch (error) {
      const problem = asApiError(error);
      report(problem.code === "lease_lost" ? "lost" : "offline");
      if (problem.temporary && !stopped) timer = setTimeout(() => void send(false), RETRY_MS);
    }
  }

  function report(state: SavingState): void {
    if (!stopped && !closed) onState(state);
  }

  return {
    save(body) {
      if (closed) return;
      waiting = body;
      localStorage.setItem(localKey(lease), JSON.stringify(body));
      clearTimeout(timer);
      timer = setTimeout(() => void send(false), DEBOUNCE_MS);
    },
    flush: () => void send(true),
    close() {
      closed = true;
      clearTimeout(timer);
      localStorage.removeItem(localKey(lease));
    },
    stop() {
      clearTimeout(timer);
      void send(true);
      stopped = true;
    },
  };
}
