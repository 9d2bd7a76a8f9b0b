/** Links by which people join a project. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ApiError, everything, rememberCsrf, request } from "./client";
import { ME } from "./session";
import type { Acceptance, Invitation, InvitationWithLink, Me, NewInvitation, ShownInvitation } from "./types";

const key = (slug: string) => ["invitations", slug] as const;

export function useInvitations(slug: string) {
  return useQuery({
    queryKey: key(slug),
    queryFn: ({ signal }) => everything<Invitation>(`projects/${slug}/invitations`, signal),
  });
}

export function useInvite(slug: string) {
  const queries = useQueryClient();
  return useMutation<InvitationWithLink, ApiError, NewInvitation>({
    mutationFn: (body) => request<InvitationWithLink>("POST", `projects/${slug}/invitations`, { body }),
    onSuccess: () => void queries.invalidateQueries({ queryKey: key(slug) }),
  });
}

export function useRevokeInvitation(slug: string) {
  const queries = useQueryClient();
  return useMutation<unknown, ApiError, string>({
    mutationFn: (id) => request("DELETE", `invitations/${id}`),
    onSettled: () => void queries.invalidateQueries({ queryKey: key(slug) }),
  });
}

/** What a link invites to. A POST, so that the token stands in no address. */
export function useShownInvitation(token: string) {
  return useQuery({
    queryKey: ["invitation", token],
    queryFn: ({ signal }) =>
      request<ShownInvitation>("POST", "invitations/look", { body: { token }, signal }),
    staleTime: Infinity,
  });
}

/** Joins as who is signed in, with a new account, or after signing in with `credentials`. */
export function useAcceptInvitation() {
  const queries = useQueryClient();
  return useMutation<Me, ApiError, Acceptance & { credentials?: { username: string; password: string } }>({
    mutationFn: async ({ credentials, ...body }) => {
      if (credentials) {
        const me = await request<Me>("POST", "auth/login", { body: credentials });
        rememberCsrf(me.csrf_token);
        queries.setQueryData(ME, me);
      }
      return request<Me>("POST", "invitations/accept", { body });
    },
    onSuccess: (me) => {
      rememberCsrf(me.csrf_token);
      queries.setQueryData(ME, me);
    },
  });
}
