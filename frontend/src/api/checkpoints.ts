import { useQuery } from "@tanstack/react-query";
import { everything, request } from "./client";
import type { Checkpoint, Lineage } from "./types";

export function useCheckpoints(slug: string) {
  return useQuery({
    queryKey: ["checkpoints", slug],
    queryFn: ({ signal }) => everything<Checkpoint>(`projects/${slug}/checkpoints`, signal),
  });
}

export function useLineage(id: string) {
  return useQuery({
    queryKey: ["lineage", id],
    queryFn: ({ signal }) => request<Lineage>("GET", `checkpoints/${id}/lineage`, { signal }),
  });
}
