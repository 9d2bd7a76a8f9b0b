/** Holding a task, and handing its answer in. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { type ApiError, asApiError, request } from "./client";
import { type DraftBody, type DraftKeeper, type SavingState, keepDraft } from "./draft";
import type { Answer, Lease, Progress, TaskKind } from "./types";

export function progressKey(slug: string) {
  return ["progress", slug] as const;
}

export function useProgress(slug: string) {
  return useQuery({
    queryKey: progressKey(slug),
    queryFn: ({ signal }) => request<Progress>("GET", `projects/${slug}/progress`, { signal }),
    staleTime: 10_000,
  });
}

/**
 * The draft of the task on screen. Saving it also renews the lease; without changes the lease is renewed only
 * while somebody is active, so absent people hold nothing.
 */
export function useDraft(lease: Lease) {
  const [state, setState] = useState<SavingState>("idle");
  const keeper = useRef<DraftKeeper | null>(null);

  useEffect(() => {
    const own = keepDraft(lease, setState);
    keeper.current = own;
    const flush = () => {
      if (document.visibilityState === "hidden") own.flush();
    };
    document.addEventListener("visibilitychange", flush);
    window.addEventListener("online", own.flush);
    return () => {
      document.removeEventListener("visibilitychange", flush);
      window.removeEventListener("online", own.flush);
      own.stop();
    };
  }, [lease]);

  useRenewal(lease, () => setState("lost"));
  const save = useCallback((body: DraftBody) => keeper.current?.save(body), []);
  const close = useCallback(() => keeper.current?.close(), []);
  return { state, save, close };
}

function useRenewal(lease: Lease, onLost: () => void): void {
  const lost = useRef(onLost);
  useEffect(() => {
    lost.current = onLost;
  });
  useEffect(() => {
    if (lease.revises !== undefined) return;
    let active = false;
    const mark = () => {
      active = true;
    };
    const events = ["pointermove", "keydown", "scroll", "touchstart"] as const;
    for (const name of events) window.addEventListener(name, mark, { passive: true, capture: true });
    const every = Math.min(Math.max(lease.lease_seconds / 3, 5), 300) * 1000;
    const interval = setInterval(() => {
      if (!active || document.visibilityState === "hidden") return;
      active = false;
      request("POST", `leases/${lease.token}/renew`).catch((error: unknown) => {
        if (asApiError(error).code === "lease_lost") lost.current();
      });
    }, every);
    return () => {
      clearInterval(interval);
      for (const name of events) window.removeEventListener(name, mark, { capture: true });
    };
  }, [lease]);
}

/**
 * Hands an answer in. One press is one idempotency key: a lost answer is sent again unchanged until the
 * server has said what became of it, so nothing is stored twice and nothing is lost.
 */
export function useSubmit<Body extends object>(
  lease: Lease,
  kind: TaskKind,
  onDone: (answer: Answer) => void,
) {
  const queries = useQueryClient();
  return useMutation<Answer, ApiError, Body>({
    mutationFn: async (body) => {
      const keyed = { idempotency_key: newKey(), ...body };
      return sendUntilAnswered(() =>
        lease.revises === undefined
          ? request<Answer>("POST", `leases/${lease.token}/${kind}`, { body: keyed })
          : request<Answer>("PATCH", `answers/${lease.revises}`, { body: keyed }),
      );
    },
    networkMode: "always",
    retry: false,
    onSuccess: (answer) => {
      void queries.invalidateQueries({ queryKey: ["progress"] });
      void queries.invalidateQueries({ queryKey: ["answers"] });
      onDone(answer);
    },
  });
}

export function useSkip(lease: Lease, onDone: () => void) {
  const queries = useQueryClient();
  return useMutation<unknown, ApiError, { reason: string; comment: string }>({
    mutationFn: (body) => request("POST", `leases/${lease.token}/skip`, { body }),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["progress"] });
      onDone();
    },
  });
}

/** `crypto.randomUUID` exists on secure origins only; a team may serve plain HTTP inside its network. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function sendUntilAnswered<T>(send: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      const answer = await send();
      announce(false);
      return answer;
    } catch (error) {
      const problem = asApiError(error);
      if (!problem.temporary) {
        announce(false);
        throw problem;
      }
      announce(true);
      await pause(Math.min(1_000 * 2 ** attempt, 15_000));
    }
  }
}

/** Resolves after a while, at once when the connection comes back. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      window.removeEventListener("online", done);
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener("online", done);
  });
}

type Listener = (retrying: boolean) => void;
const listeners = new Set<Listener>();

function announce(retrying: boolean): void {
  for (const listener of listeners) listener(retrying);
}

/** True while an answer waits for the connection. */
export function useRetrying(): boolean {
  const [retrying, setRetrying] = useState(false);
  useEffect(() => {
    listeners.add(setRetrying);
    return () => {
      listeners.delete(setRetrying);
    };
  }, []);
  return retrying;
}
