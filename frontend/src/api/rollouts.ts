/** What policies have written, over all runs of a project. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { everything, request } from "./client";
import type { BrowsedSet, Policy } from "./types";

export const BROWSED_ORDERS = ["newest", "best", "worst", "disagreement"] as const;
export type BrowsedOrder = (typeof BROWSED_ORDERS)[number];

interface BrowsedPage {
  next: string | null;
  results: BrowsedSet[];
}

export function useBrowsed(slug: string, order: BrowsedOrder, policy: string) {
  const search = new URLSearchParams({ order, ...(policy !== "" && { policy }) });
  return useInfiniteQuery({
    queryKey: ["browsed", slug, order, policy],
    queryFn: ({ pageParam, signal }) => request<BrowsedPage>("GET", pageParam, { signal }),
    initialPageParam: `projects/${slug}/rollouts?${search.toString()}`,
    getNextPageParam: (page) => page.next,
  });
}

export function usePolicies(slug: string) {
  return useQuery({
    queryKey: ["policies", slug],
    queryFn: ({ signal }) => everything<Policy>(`projects/${slug}/policies`, signal),
  });
}
