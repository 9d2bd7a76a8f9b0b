/** A file in pieces, a look at what it holds, and its import by a worker. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ApiError, asApiError, request } from "./client";
import type { DataImport, ImportOptions, ImportPreview } from "./types";

const PIECE = 4 << 20;
const LIVE_MS = 1_000;
const ATTEMPTS = 6;

/** Sends what the server does not have yet; after a broken connection it goes on where the server says. */
export async function upload(
  slug: string,
  file: File,
  onShare: (share: number) => void,
): Promise<DataImport> {
  const body = { name: file.name, bytes: file.size };
  let row = await request<DataImport>("POST", `projects/${slug}/imports`, { body });
  let failures = 0;
  while (row.received < file.size) {
    onShare(row.received / file.size);
    const piece = file.slice(row.received, row.received + PIECE);
    try {
      row = await request<DataImport>("PUT", `imports/${row.id}/content?offset=${row.received}`, {
        body: piece,
      });
      failures = 0;
    } catch (error) {
      const problem = asApiError(error);
      if (problem.code !== "wrong_offset" && !problem.temporary) throw problem;
      if (++failures >= ATTEMPTS) throw problem;
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** failures));
      row = await request<DataImport>("GET", `imports/${row.id}`);
    }
  }
  return row;
}

export function usePreview(id: string, options: ImportOptions) {
  return useQuery<ImportPreview, ApiError>({
    queryKey: ["import-preview", id, options],
    queryFn: ({ signal }) =>
      request<ImportPreview>("POST", `imports/${id}/preview`, { body: options, signal }),
    placeholderData: (before) => before,
    staleTime: Infinity,
    retry: false,
  });
}

export function useStartImport(slug: string, id: string) {
  const queries = useQueryClient();
  return useMutation<DataImport, ApiError, ImportOptions>({
    mutationFn: (body) => request<DataImport>("POST", `imports/${id}/start`, { body }),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["imports", slug] }),
  });
}

/** Stops one under way, and forgets a file that was only looked at. What is stored stays. */
export function useCancelImport(slug: string) {
  const queries = useQueryClient();
  return useMutation<unknown, ApiError, string>({
    mutationFn: (id) => request("DELETE", `imports/${id}`),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["imports", slug] }),
  });
}

interface ImportPage {
  next: string | null;
  results: DataImport[];
}

export function isGoing(row: DataImport): boolean {
  return row.state === "queued" || row.state === "running";
}

export function useImports(slug: string) {
  return useInfiniteQuery({
    queryKey: ["imports", slug],
    queryFn: ({ pageParam, signal }) => request<ImportPage>("GET", pageParam, { signal }),
    initialPageParam: `projects/${slug}/imports`,
    getNextPageParam: (page) => page.next,
    refetchInterval: ({ state }) =>
      state.data?.pages.some((page) => page.results.some(isGoing)) ? LIVE_MS : false,
  });
}
