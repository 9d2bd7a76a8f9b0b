/** The task on the screen and the one after it, which is fetched ahead so that it appears at once. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { asApiError, request } from "./client";
import type { Lease, TaskKind } from "./types";

export interface Work {
  /** Null where nothing waits; undefined until the server has said. */
  lease: Lease | null | undefined;
  loading: boolean;
  error: Error | null;
  /** The task on the screen is done with: on to the next. */
  proceed: () => void;
}

const HELD = {
  staleTime: Infinity,
  gcTime: 0,
  refetchOnWindowFocus: false,
  refetchOnReconnect: false,
} as const;

/**
 * The lease this person holds in a project, and the next one.
 *
 * Asking again is harmless: the server hands the same live leases back. Neither is asked for again on its own,
 * because a refreshed payload must not replace what somebody is working on. The task fetched ahead is shown
 * before the server knows; its answer then says whether the hold still stood, and another task comes if not.
 */
export function useWork(slug: string, kinds: TaskKind[]): Work {
  const queries = useQueryClient();
  const key = ["next", slug, kinds.join(",")];
  const [early, setEarly] = useState<string | null>(null);
  const patient = useRef(false);

  const ask = (ahead: boolean) =>
    request<Lease | null>("POST", `projects/${slug}/next`, {
      body: { ...(kinds.length > 0 && { kinds }), ...(ahead && { ahead }) },
    });
  const current = useQuery({
    queryKey: key,
    queryFn: () => ask(false),
    ...HELD,
    structuralSharing: (before, after) => kept(before as Lease | null, after as Lease | null),
    // What is on the screen already is not taken away because the line is cut.
    retry: (count, error) => asApiError(error).temporary && (patient.current || count < 2),
    retryDelay: (count) => Math.min(1_000 * 2 ** count, 15_000),
  });
  const lease = current.data;
  const settled = lease && !current.isFetching && current.error === null;
  const ahead = useAhead([...key, lease?.token ?? ""], Boolean(settled), () => ask(true));

  const proceed = () => {
    const next = ahead.take();
    setEarly(next?.token ?? null);
    patient.current = next !== null;
    if (next !== null) queries.setQueryData(key, next);
    void current.refetch();
  };
  return {
    lease,
    loading: current.isPending || (current.isFetching && (early === null || lease?.token !== early)),
    error: current.error,
    proceed,
  };
}

/** The same task again, with nothing new to say, is the same object: its screen does not start over. */
export function kept(before: Lease | null | undefined, after: Lease | null): Lease | null {
  const same = before?.token === after?.token && before?.notice?.state === after?.notice?.state;
  return same && before ? before : after;
}

interface Fetched {
  lease: Lease;
  /** By this device's clock; the server judges by its own. */
  until: number;
}

/** One lease ahead, given back to others when its labeler leaves. */
function useAhead(key: readonly string[], wanted: boolean, ask: () => Promise<Lease | null>) {
  const fetched = useRef<Fetched | null>(null);
  const left = useRef(false);
  const { data } = useQuery({
    queryKey: ["ahead", ...key],
    queryFn: async () => {
      const lease = await ask();
      if (lease !== null && left.current) giveBack(lease);
      return lease && { lease, until: Date.now() + lease.lease_seconds * 1_000 };
    },
    enabled: wanted,
    ...HELD,
  });
  useEffect(() => {
    fetched.current = data ?? null;
  }, [data]);

  useEffect(() => {
    const leave = () => {
      if (fetched.current !== null) giveBack(fetched.current.lease);
      fetched.current = null;
    };
    left.current = false;
    window.addEventListener("pagehide", leave);
    return () => {
      window.removeEventListener("pagehide", leave);
      left.current = true;
      leave();
    };
  }, []);

  return {
    /** What was fetched, once; null where there is none or its time is over. */
    take: (): Lease | null => {
      const found = fetched.current;
      fetched.current = null;
      return found !== null && Date.now() < found.until ? found.lease : null;
    },
  };
}

function giveBack(lease: Lease): void {
  // Where it does not arrive, the lease ends by itself.
  request("POST", `leases/${lease.token}/give-back`, { keepalive: true }).catch(() => undefined);
}
