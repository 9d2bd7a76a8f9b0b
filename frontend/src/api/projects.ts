import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ApiError, everything, firstLines, request } from "./client";
import { ME } from "./session";
import type { AuditEntry, Guideline, Member, Person, Project, Role } from "./types";

export function useProjects() {
  return useQuery({
    queryKey: ["projects"],
    queryFn: ({ signal }) => everything<Project>("projects", signal),
  });
}

export function useProject(slug: string) {
  return useQuery({
    queryKey: ["project", slug],
    queryFn: ({ signal }) => request<Project>("GET", `projects/${slug}`, { signal }),
  });
}

export function useCreateProject() {
  const queries = useQueryClient();
  return useMutation<Project, ApiError, { slug: string; name: string; description: string }>({
    mutationFn: (body) => request<Project>("POST", "projects", { body }),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["projects"] });
      void queries.invalidateQueries({ queryKey: ME });
    },
  });
}

export function useUpdateProject(slug: string) {
  const queries = useQueryClient();
  return useMutation<Project, ApiError, Partial<Project>>({
    mutationFn: (body) => request<Project>("PATCH", `projects/${slug}`, { body }),
    onSuccess: (project) => {
      queries.setQueryData(["project", slug], project);
      void queries.invalidateQueries({ queryKey: ["projects"] });
    },
  });
}

export function useNewGuideline(slug: string) {
  const queries = useQueryClient();
  return useMutation<unknown, ApiError, { text: string }>({
    mutationFn: (body) => request("POST", `projects/${slug}/guidelines`, { body }),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["project", slug] });
      void queries.invalidateQueries({ queryKey: ["guidelines", slug] });
    },
  });
}

export function useMembers(slug: string) {
  return useQuery({
    queryKey: ["members", slug],
    queryFn: ({ signal }) => everything<Member>(`projects/${slug}/members`, signal),
  });
}

export function useAddMember(slug: string) {
  const queries = useQueryClient();
  return useMutation<unknown, ApiError, { user: string; role: Role }>({
    mutationFn: (body) => request("POST", `projects/${slug}/members`, { body }),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["members", slug] }),
  });
}

export function useSetRole(slug: string) {
  const queries = useQueryClient();
  return useMutation<unknown, ApiError, { id: string; role: Role }>({
    mutationFn: ({ id, role }) => request("PATCH", `projects/${slug}/members/${id}`, { body: { role } }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["members", slug] }),
  });
}

export function useRemoveMember(slug: string) {
  const queries = useQueryClient();
  return useMutation<unknown, ApiError, string>({
    mutationFn: (id) => request("DELETE", `projects/${slug}/members/${id}`),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["members", slug] }),
  });
}

/** The first records; the rest of the stream is not asked for. */
export function useExportPreview(path: string, wanted: boolean) {
  return useQuery<string[], ApiError>({
    queryKey: ["export", path],
    queryFn: ({ signal }) => firstLines(path, 3, signal),
    enabled: wanted,
    staleTime: 0,
  });
}

export function useGuidelines(slug: string) {
  return useQuery({
    queryKey: ["guidelines", slug],
    queryFn: ({ signal }) => everything<Guideline>(`projects/${slug}/guidelines`, signal),
  });
}

interface AuditPage {
  next: string | null;
  results: AuditEntry[];
}

export function useAudit(slug: string) {
  return useInfiniteQuery({
    queryKey: ["audit", slug],
    queryFn: ({ pageParam, signal }) => request<AuditPage>("GET", pageParam, { signal }),
    initialPageParam: `projects/${slug}/audit`,
    getNextPageParam: (page) => page.next,
  });
}

export function usePeople() {
  return useQuery({
    queryKey: ["people"],
    queryFn: ({ signal }) => everything<Person>("people", signal),
  });
}

export function useCreatePerson() {
  const queries = useQueryClient();
  return useMutation<Person, ApiError, { username: string; name: string; password: string; role: Role }>({
    mutationFn: (body) => request<Person>("POST", "people", { body }),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["people"] }),
  });
}

export function useUpdatePerson() {
  const queries = useQueryClient();
  return useMutation<Person, ApiError, { id: string; role?: Role; is_active?: boolean }>({
    mutationFn: ({ id, ...body }) => request<Person>("PATCH", `people/${id}`, { body }),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["people"] }),
  });
}
