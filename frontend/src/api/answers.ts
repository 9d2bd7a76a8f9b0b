/** Answers as they were stored, one's own and, for those who read them, everybody's. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { request } from "./client";
import type { AnswerWithTexts, Lease, StoredAnswer, TaskKind } from "./types";

interface AnswerPage {
  next: string | null;
  results: StoredAnswer[];
}

export interface AnswerFilter {
  mine?: boolean;
  kind?: TaskKind | "";
  labeler?: string;
}

/** Every revision, newest first, a page at a time. */
export function useAnswers(slug: string, filter: AnswerFilter) {
  const search = new URLSearchParams();
  if (filter.mine) search.set("mine", "1");
  if (filter.kind) search.set("kind", filter.kind);
  if (filter.labeler) search.set("labeler", filter.labeler);
  return useInfiniteQuery({
    queryKey: ["answers", slug, search.toString()],
    queryFn: ({ pageParam, signal }) => request<AnswerPage>("GET", pageParam, { signal }),
    initialPageParam: `projects/${slug}/answers?${search.toString()}`,
    getNextPageParam: (page) => page.next,
  });
}

export function useAnswer(id: string) {
  return useQuery({
    queryKey: ["answer", id],
    queryFn: ({ signal }) => request<AnswerWithTexts>("GET", `answers/${id}`, { signal }),
  });
}

/**
 * A stored answer as a task to work on again: the screens that made it can edit it.
 *
 * It has no lease, and its drafts stay in this browser.
 */
export function asTask(answer: AnswerWithTexts): Lease {
  return {
    token: answer.id,
    revises: answer.id,
    expires_at: "",
    lease_seconds: 0,
    server_time: "",
    notice: null,
    task: {
      id: answer.id,
      kind: answer.kind,
      prompt: { id: answer.prompt.id, messages: answer.messages },
      guideline: null,
      responses: answer.responses,
      policy_draft: null,
      settings: answer.settings,
    },
    draft: asDraft(answer),
  };
}

/** What the screen of its kind starts from; active time counts anew with the edit. */
export function asDraft(answer: AnswerWithTexts): Record<string, unknown> {
  const common = { rationale: answer.rationale, confidence: answer.confidence, active_ms: 0 };
  if (answer.kind === "demonstration") return { ...common, turns: answer.reply ?? [] };
  const places = new Map<number, string[]>();
  for (const [id, rank] of Object.entries(answer.ranks)) {
    if (rank !== null) places.set(rank, [...(places.get(rank) ?? []), id]);
  }
  const ranked = [...places].sort(([a], [b]) => a - b).map(([, ids]) => ids);
  if (answer.kind === "comparison") return { ...common, choice: choiceOf(ranked, answer) };
  return {
    ...common,
    ranked,
    unacceptable: answer.unacceptable,
    likert: answer.likert,
    flags: answer.flags,
  };
}

function choiceOf(ranked: string[][], answer: AnswerWithTexts): string | null {
  if (answer.unacceptable.length === answer.responses.length) return "both_bad";
  const [first] = ranked;
  if (first === undefined) return null;
  return first.length > 1 ? "tie" : (first[0] ?? null);
}
