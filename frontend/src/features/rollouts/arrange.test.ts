import { expect, test } from "vitest";
import type { RolloutSet } from "../../api/types";
import { arranged } from "./arrange";

const set = (id: string, policy: string, scores: number[]): RolloutSet =>
  ({
    prompt_id: id,
    policy,
    scores,
    prompt: [{ role: "user", content: `About ${id}` }],
    rollouts: [{ index: 0, text: "In the Garden." }],
  }) as unknown as RolloutSet;

const SETS = [
  set("a", "sft", [1, 2]),
  set("b", "ppo", []),
  set("c", "ppo", [-5, 0.5]),
  set("d", "sft", [3, 3]),
];
const ids = (sets: RolloutSet[]) => sets.map(({ prompt_id: id }) => id).join("");
const all = { policy: "", words: "" };

test("sets stand by their best, their worst, or how far apart their scores are", () => {
  expect(ids(arranged(SETS, { ...all, order: "given" }))).toBe("abcd");
  expect(ids(arranged(SETS, { ...all, order: "best" }))).toBe("dacb");
  expect(ids(arranged(SETS, { ...all, order: "worst" }))).toBe("cadb");
  expect(ids(arranged(SETS, { ...all, order: "spread" }))).toBe("cadb");
});

test("sets are found by policy and by words of the prompt or a rollout", () => {
  expect(ids(arranged(SETS, { order: "given", policy: "ppo", words: "" }))).toBe("bc");
  expect(ids(arranged(SETS, { order: "given", policy: "", words: "about d" }))).toBe("d");
  expect(ids(arranged(SETS, { order: "given", policy: "", words: " garden" }))).toBe("abcd");
});
