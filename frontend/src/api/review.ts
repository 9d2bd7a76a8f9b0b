/** Items that wait for a reviewer, gold items, and how labelers stand. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ApiError, request } from "./client";
import type { Case, CaseDetail, GoldItem, Member, NewGold, Settlement, Standing } from "./types";

interface Page<T> {
  next: string | null;
  results: T[];
}

export function useCases(slug: string, state: string) {
  return useInfiniteQuery({
    queryKey: ["review", slug, state],
    queryFn: ({ pageParam, signal }) => request<Page<Case>>("GET", pageParam, { signal }),
    initialPageParam: `projects/${slug}/review?state=${state}`,
    getNextPageParam: (page) => page.next,
  });
}

export function useCase(id: string) {
  return useQuery({
    queryKey: ["case", id],
    queryFn: ({ signal }) => request<CaseDetail>("GET", `review/${id}`, { signal }),
  });
}

export function useSettle(slug: string, id: string) {
  const queries = useQueryClient();
  return useMutation<Case, ApiError, Settlement>({
    mutationFn: (body) => request<Case>("POST", `review/${id}`, { body }),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["review", slug] });
      void queries.invalidateQueries({ queryKey: ["case", id] });
      void queries.invalidateQueries({ queryKey: ["progress", slug] });
    },
  });
}

export function useGold(slug: string) {
  return useInfiniteQuery({
    queryKey: ["gold", slug],
    queryFn: ({ pageParam, signal }) => request<Page<GoldItem>>("GET", pageParam, { signal }),
    initialPageParam: `projects/${slug}/gold`,
    getNextPageParam: (page) => page.next,
  });
}

export function useMakeGold(slug: string) {
  const queries = useQueryClient();
  return useMutation<GoldItem, ApiError, NewGold>({
    mutationFn: (body) => request<GoldItem>("POST", `projects/${slug}/gold`, { body }),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["gold", slug] }),
  });
}

export function useRetireGold(slug: string) {
  const queries = useQueryClient();
  return useMutation<GoldItem, ApiError, string>({
    mutationFn: (id) => request<GoldItem>("POST", `gold/${id}/retire`),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["gold", slug] }),
  });
}

/** Hand a member nothing more, or end their pause or warning; either says why. */
export function useStand(slug: string) {
  const queries = useQueryClient();
  return useMutation<Member, ApiError, { id: string; change: "pause" | "lift"; reason: string }>({
    mutationFn: ({ id, change, reason }) =>
      request<Member>("POST", `projects/${slug}/members/${id}/${change}`, { body: { reason } }),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["members", slug] }),
  });
}

export function useStanding(slug: string) {
  return useQuery({
    queryKey: ["standing", slug],
    queryFn: ({ signal }) => request<Standing>("GET", `projects/${slug}/standing`, { signal }),
    staleTime: 30_000,
  });
}
