import { expect, test } from "vitest";
import { asDraft, asTask } from "./answers";
import type { AnswerWithTexts } from "./types";

const ANSWER = {
  id: "answer",
  kind: "ranking",
  task: "task",
  created_at: "2026-01-01T00:00:00Z",
  late: false,
  revision: 2,
  labeler: "alice",
  origin: "human",
  prompt: { id: "prompt", last_message: "Why?" },
  guideline_version: 1,
  order_shown: ["a", "b", "c", "d"],
  ranks: { a: 2, b: 1, c: 1, d: null },
  unacceptable: ["d"],
  likert: { a: 3 },
  flags: { d: ["harmful"] },
  reply: null,
  edit_distance: null,
  rationale: "Because.",
  confidence: 4,
  active_ms: 9000,
  newest: true,
  messages: [{ role: "user", content: "Why?" }],
  responses: ["a", "b", "c", "d"].map((id) => ({ id, text: id, tokens: null })),
  settings: {},
} as unknown as AnswerWithTexts;

test("a stored ranking comes back as the board that made it, ties and all", () => {
  expect(asDraft(ANSWER)).toMatchObject({
    ranked: [["b", "c"], ["a"]],
    unacceptable: ["d"],
    likert: { a: 3 },
    flags: { d: ["harmful"] },
    rationale: "Because.",
    confidence: 4,
    active_ms: 0,
  });
  expect(asTask(ANSWER)).toMatchObject({ revises: "answer", task: { kind: "ranking" } });
});

test("a comparison comes back as its choice", () => {
  const pair = {
    ...ANSWER,
    kind: "comparison" as const,
    responses: ANSWER.responses.slice(0, 2),
    unacceptable: [],
  };
  expect(asDraft({ ...pair, ranks: { a: 2, b: 1 } })).toMatchObject({ choice: "b" });
  expect(asDraft({ ...pair, ranks: { a: 1, b: 1 } })).toMatchObject({ choice: "tie" });
  expect(asDraft({ ...pair, ranks: { a: null, b: null }, unacceptable: ["a", "b"] })).toMatchObject({
    choice: "both_bad",
  });
});

test("a demonstration comes back as its text", () => {
  const reply = [{ role: "assistant" as const, content: "In the garden." }];
  expect(asDraft({ ...ANSWER, kind: "demonstration", reply })).toMatchObject({
    turns: [{ role: "assistant", content: "In the garden." }],
  });
});
