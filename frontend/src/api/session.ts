import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ApiError, rememberCsrf, request } from "./client";
import type { Me } from "./types";

export const ME = ["me"] as const;

/** The person signed in, or null. */
export function useMe() {
  return useQuery({
    queryKey: ME,
    queryFn: async ({ signal }) => {
      try {
        const me = await request<Me>("GET", "auth/me", { signal });
        rememberCsrf(me.csrf_token);
        return me;
      } catch (error) {
        if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return null;
        throw error;
      }
    },
    // Roles are changed by others: a page that stays open learns of it.
    staleTime: 30_000,
    refetchInterval: 60_000,
  });
}

export function useSignIn() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: { username: string; password: string }) => request<Me>("POST", "auth/login", { body }),
    onSuccess: (me) => {
      rememberCsrf(me.csrf_token);
      queries.setQueryData(ME, me);
    },
  });
}

export function useSignOut() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => request<null>("POST", "auth/logout"),
    onSuccess: () => {
      queries.clear();
      queries.setQueryData(ME, null);
    },
  });
}
