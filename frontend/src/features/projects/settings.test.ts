import { expect, test } from "vitest";
import type { Project } from "../../api/types";
import { changesOf, formOf } from "./settings";

const PROJECT: Project = {
  id: "1",
  slug: "demo",
  name: "Demo",
  description: "",
  k: 5,
  overlap: 2,
  lease_seconds: 900,
  allow_ties: true,
  allow_partial: false,
  allow_unacceptable: true,
  flags: ["harmful", "pii"],
  likert_points: 0,
  ask_rationale: false,
  ask_confidence: false,
  hourly_rate: null,
  guideline: null,
  status: "open",
  skips_to_halt: 3,
  flags_to_halt: 3,
  gold_share: 0.05,
  repeat_share: 0,
  repeat_distance: 20,
  anchor_share: 0,
  quality: null,
  retention_days: null,
  archived_at: null,
  random_share: 0.1,
  heldout_share: 0.1,
  role: "admin",
  created_at: "2026-01-01T00:00:00Z",
};

test("an untouched form changes nothing", () => {
  expect(changesOf(PROJECT, formOf(PROJECT))).toEqual({});
});

test("only what changed is sent, in the server's types", () => {
  const form = {
    ...formOf(PROJECT),
    k: "7",
    flags: "harmful, , off topic ",
    ask_rationale: true,
    hourly_rate: "12.50",
  };
  expect(changesOf(PROJECT, form)).toEqual({
    k: 7,
    flags: ["harmful", "off topic"],
    ask_rationale: true,
    hourly_rate: "12.50",
  });
});

test("what is no number is left for the server to refuse", () => {
  expect(changesOf(PROJECT, { ...formOf(PROJECT), overlap: "two" })).toEqual({ overlap: "two" });
});

test("a rule that is emptied is switched off, and the others are not sent", () => {
  const quality = {
    minimum_seconds: {},
    gold_accuracy: 0.7,
    self_consistency: null,
    fast_share: null,
    window: 20,
    least: 5,
    review_below: 0.5,
    stop_agreement: null,
    stop_answers: 2,
  };
  const project = { ...PROJECT, quality };
  const form = formOf(project);
  expect(form.rules.self_consistency).toBe("");
  const rules = { ...form.rules, gold_accuracy: "", fast_share: "0.3" };
  expect(changesOf(project, { ...form, rules })).toEqual({
    quality: { gold_accuracy: null, fast_share: 0.3 },
  });
});
