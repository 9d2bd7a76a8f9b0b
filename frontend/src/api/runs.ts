/** Runs and what they show of themselves while they go on. */
import {
  type QueryClient,
  useInfiniteQuery,
  useMutation,
  useQueries,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useEffect } from "react";
import { type ApiError, everything, request } from "./client";
import type { MetricRow, NewRun, RolloutSet, Run, RunKind, SampleRow } from "./types";

const LIVE_MS = 2_000;

export function isLive(run: Run | undefined): boolean {
  return run?.status === "queued" || run?.status === "running";
}

export function useRunKinds() {
  return useQuery({
    queryKey: ["run-kinds"],
    queryFn: ({ signal }) => request<RunKind[]>("GET", "run-kinds", { signal }),
    staleTime: Infinity,
  });
}

interface RunPage {
  next: string | null;
  results: Run[];
}

export interface RunFilter {
  kind?: string;
  status?: string;
}

/** Newest first, a page at a time; looked at again while one of them is going on. */
export function useRuns(slug: string, filter: RunFilter = {}) {
  const search = new URLSearchParams();
  if (filter.kind) search.set("kind", filter.kind);
  if (filter.status) search.set("status", filter.status);
  return useInfiniteQuery({
    queryKey: ["runs", slug, search.toString()],
    queryFn: ({ pageParam, signal }) => request<RunPage>("GET", pageParam, { signal }),
    initialPageParam: `projects/${slug}/runs?${search.toString()}`,
    getNextPageParam: (page) => page.next,
    refetchInterval: ({ state }) =>
      state.data?.pages.some((page) => page.results.some(isLive)) ? LIVE_MS * 2 : false,
  });
}

function runQuery(id: string) {
  return {
    queryKey: ["run", id],
    queryFn: ({ signal }: { signal: AbortSignal }) => request<Run>("GET", `runs/${id}`, { signal }),
    refetchInterval: ({ state }: { state: { data?: Run | undefined } }) =>
      isLive(state.data) ? LIVE_MS : (false as const),
  };
}

export function useRun(id: string, wanted = true) {
  return useQuery({ ...runQuery(id), enabled: wanted });
}

export function useManyRuns(ids: readonly string[]) {
  return useQueries({ queries: ids.map(runQuery) });
}

export function useStartRun(slug: string) {
  const queries = useQueryClient();
  return useMutation<Run, ApiError, NewRun>({
    mutationFn: (body) => request<Run>("POST", `projects/${slug}/runs`, { body }),
    onSuccess: (run) => {
      queries.setQueryData(["run", run.id], run);
      void queries.invalidateQueries({ queryKey: ["runs", slug] });
    },
  });
}

/** Cancel or resume. */
export function useRunAction(id: string, action: "cancel" | "resume") {
  const queries = useQueryClient();
  return useMutation<Run, ApiError>({
    mutationFn: () => request<Run>("POST", `runs/${id}/${action}`),
    onSuccess: (run) => {
      queries.setQueryData(["run", id], run);
      void queries.invalidateQueries({ queryKey: ["runs"] });
    },
  });
}

interface Rows<T> {
  rows: T[];
  next: number;
}

/** Rows that only ever grow: each poll asks for what is new and keeps what there is. */
function growing<T>(queries: QueryClient, id: string, what: "metrics" | "samples", live: boolean) {
  const key = [what, id];
  return {
    queryKey: key,
    queryFn: async ({ signal }: { signal: AbortSignal }) => {
      let known: Rows<T> = queries.getQueryData<Rows<T>>(key) ?? { rows: [], next: 0 };
      for (;;) {
        const page = await request<Rows<T>>("GET", `runs/${id}/${what}?after=${known.next}`, { signal });
        if (page.rows.length === 0) return known;
        known = { rows: [...known.rows, ...page.rows], next: page.next };
      }
    },
    structuralSharing: false as const,
    refetchInterval: live ? LIVE_MS : (false as const),
  };
}

function useGrowing<T>(id: string, what: "metrics" | "samples", live: boolean) {
  const query = useQuery(growing<T>(useQueryClient(), id, what, live));
  useLastLook(live, query.refetch);
  return query;
}

export function useManyMetrics(runs: readonly { id: string; live: boolean }[]) {
  const queries = useQueryClient();
  return useQueries({
    queries: runs.map(({ id, live }) => growing<MetricRow>(queries, id, "metrics", live)),
  });
}

/** The last rows arrive with the end of the run: one more look when it stops being live. */
function useLastLook(live: boolean, refetch: () => unknown): void {
  useEffect(() => {
    if (!live) void refetch();
  }, [live, refetch]);
}

export function useMetrics(id: string, live: boolean) {
  return useGrowing<MetricRow>(id, "metrics", live);
}

export function useSamples(id: string, live: boolean) {
  return useGrowing<SampleRow>(id, "samples", live);
}

/** Characters kept of a log in the page; the start of a longer one is left out. */
const LOG_KEPT = 200_000;

export function useLog(id: string, live: boolean) {
  const queries = useQueryClient();
  const key = ["log", id];
  const query = useQuery({
    queryKey: key,
    queryFn: async ({ signal }) => {
      let known = queries.getQueryData<{ text: string; next: number }>(key) ?? { text: "", next: 0 };
      for (;;) {
        const page = await request<{ text: string; next: number }>(
          "GET",
          `runs/${id}/log?after=${known.next}`,
          {
            signal,
          },
        );
        if (page.text === "") return known;
        known = { text: (known.text + page.text).slice(-LOG_KEPT), next: page.next };
      }
    },
    refetchInterval: live ? LIVE_MS : false,
  });
  useLastLook(live, query.refetch);
  return query;
}

export function useReport(id: string, ready: boolean) {
  return useQuery({
    queryKey: ["report", id],
    queryFn: ({ signal }) => request<Record<string, unknown>>("GET", `runs/${id}/report`, { signal }),
    enabled: ready,
    staleTime: Infinity,
  });
}

export function useRollouts(id: string, wanted: boolean) {
  return useInfiniteQuery({
    queryKey: ["rollouts", id],
    queryFn: ({ pageParam, signal }) =>
      request<{ results: RolloutSet[]; next: number | null }>(
        "GET",
        `runs/${id}/rollouts?cursor=${pageParam}`,
        {
          signal,
        },
      ),
    initialPageParam: 0,
    getNextPageParam: (page) => page.next,
    enabled: wanted,
  });
}

/** Everything of one project that can be an input of a run. */
export function useInputs<T>(slug: string, what: "checkpoints" | "snapshots" | "corpora", wanted: boolean) {
  return useQuery({
    queryKey: [what, slug],
    enabled: wanted,
    queryFn: ({ signal }) => everything<T>(`projects/${slug}/${what}`, signal),
  });
}
