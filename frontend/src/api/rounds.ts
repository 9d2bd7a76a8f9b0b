/** Rounds: one turn of the loop each. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ApiError, everything, request } from "./client";
import type { Round } from "./types";

const LIVE_MS = 4_000;

export function useRounds(slug: string) {
  return useQuery({
    queryKey: ["rounds", slug],
    queryFn: ({ signal }) => everything<Round>(`projects/${slug}/rounds`, signal),
    refetchInterval: ({ state }) =>
      state.data?.some((round) => round.closed_at === null && round.current_run !== null) ? LIVE_MS : false,
  });
}

export function useOpenRound(slug: string) {
  const queries = useQueryClient();
  return useMutation<Round, ApiError, { policy: string }>({
    mutationFn: (body) => request<Round>("POST", `projects/${slug}/rounds`, { body }),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["rounds", slug] }),
  });
}

/** The next step, or with `accept` false at a gate, back to collecting. */
export function useAdvance(slug: string, id: string) {
  const queries = useQueryClient();
  return useMutation<Round, ApiError, { accept: boolean }>({
    mutationFn: (body) => request<Round>("POST", `rounds/${id}/advance`, { body }),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["rounds", slug] });
      void queries.invalidateQueries({ queryKey: ["runs", slug] });
    },
  });
}
