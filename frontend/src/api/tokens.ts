/** Tokens with which programs act in the name of the person who made them. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ApiError, everything, request } from "./client";
import type { ApiToken, NewApiToken } from "./types";

const KEY = ["tokens"] as const;

export function useTokens() {
  return useQuery({ queryKey: KEY, queryFn: ({ signal }) => everything<ApiToken>("tokens", signal) });
}

export function useCreateToken() {
  const queries = useQueryClient();
  return useMutation<NewApiToken, ApiError, { name: string }>({
    mutationFn: (body) => request<NewApiToken>("POST", "tokens", { body }),
    onSuccess: () => void queries.invalidateQueries({ queryKey: KEY }),
  });
}

export function useRevokeToken() {
  const queries = useQueryClient();
  return useMutation<unknown, ApiError, string>({
    mutationFn: (id) => request("DELETE", `tokens/${id}`),
    onSuccess: () => void queries.invalidateQueries({ queryKey: KEY }),
  });
}
