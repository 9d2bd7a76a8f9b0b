/** How far labelers agree, how far each can be relied on, and what the work costs. Null is undefined. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ApiError, everything, request } from "./client";
import type { AgreementReport, ItemAgreement, LabelerQuality, Measurement, StatisticsReport } from "./types";

const MEASURING_MS = 2_000;

export function useAgreement(slug: string) {
  return useQuery({
    queryKey: ["quality", slug, "agreement"],
    queryFn: ({ signal }) => request<AgreementReport>("GET", `projects/${slug}/agreement`, { signal }),
    refetchInterval: ({ state }) => (state.data?.measuring ? MEASURING_MS : false),
  });
}

/** `measuredAt` belongs to the key: a new measurement is a new list. */
export function useLabelerQuality(slug: string, measuredAt: string | null) {
  return useQuery({
    queryKey: ["quality", slug, "labelers", measuredAt],
    queryFn: ({ signal }) => everything<LabelerQuality>(`projects/${slug}/agreement/labelers`, signal),
  });
}

export type ItemOrder = "agreement" | "newest" | "ambiguous";

interface ItemPage {
  next: string | null;
  results: ItemAgreement[];
}

export function useItemAgreement(slug: string, order: ItemOrder, measuredAt: string | null) {
  const search = order === "ambiguous" ? "order=newest&ambiguous=1" : `order=${order}`;
  return useInfiniteQuery({
    queryKey: ["quality", slug, "items", order, measuredAt],
    queryFn: ({ pageParam, signal }) => request<ItemPage>("GET", pageParam, { signal }),
    initialPageParam: `projects/${slug}/agreement/items?${search}`,
    getNextPageParam: (page) => page.next,
  });
}

export function useStatistics(slug: string) {
  return useQuery({
    queryKey: ["quality", slug, "statistics"],
    queryFn: ({ signal }) => request<StatisticsReport>("GET", `projects/${slug}/statistics`, { signal }),
    refetchInterval: ({ state }) => (state.data?.measuring ? MEASURING_MS : false),
  });
}

export function useMeasure(slug: string) {
  const queries = useQueryClient();
  return useMutation<Measurement, ApiError>({
    mutationFn: () => request<Measurement>("POST", `projects/${slug}/measurements`),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["quality", slug] }),
  });
}
