import { expect, test } from "vitest";
import {
  bestOfN,
  calibration,
  ensemble,
  isRewardReport,
  learningCurve,
  leaveOut,
  lengthBias,
  mostDisagreed,
  shares,
} from "./rewardReport";

const REPORT = {
  accuracy: 0.7,
  calibration: [
    { predicted: 0.55, observed: 0.5, ci: [0.4, 0.6], pairs: 12 },
    { predicted: null, observed: 0.5 },
    "?",
  ],
  learning_curve: [
    { rankings: 200, accuracy: 0.7, accuracy_ci: [0.6, 0.8] },
    { rankings: 50, accuracy: 0.6, accuracy_ci: null },
  ],
  per_labeler: {
    rita: { accuracy: 0.5, ci: null, pairs: 4 },
    alice: { accuracy: 0.75, ci: [0.7, 0.8], pairs: 40 },
    odd: 3,
  },
  leave_out: [{ labeler: "bob", rankings: 9, all: { difference: 0.02, difference_ci: [-0.01, 0.05] } }],
  ensemble: { members: [0.6, null, 0.7], combinations: { mean: { accuracy: 0.72, ci: null, pairs: 44 } } },
  most_disagreed: [{ id: "a", labeler: "bob", log_loss: 2.5, wrong: 3, pairs: 6 }, { labeler: "bob" }],
};

test("the report of a reward model is known by what it holds", () => {
  expect(isRewardReport(REPORT)).toBe(true);
  expect(isRewardReport({ win_rate: 0.5 })).toBe(false);
});

test("points without both numbers are left out", () => {
  expect(calibration(REPORT)).toEqual([{ predicted: 0.55, value: 0.5, low: 0.4, high: 0.6, pairs: 12 }]);
  expect(mostDisagreed(REPORT)).toEqual([{ id: "a", labeler: "bob", logLoss: 2.5, wrong: 3, pairs: 6 }]);
});

test("the learning curve goes from few rankings to many", () => {
  expect(learningCurve(REPORT)).toEqual([
    { rankings: 50, value: 0.6, low: null, high: null },
    { rankings: 200, value: 0.7, low: 0.6, high: 0.8 },
  ]);
});

test("who has most pairs comes first", () => {
  expect(shares(REPORT, "per_labeler").map(({ name, pairs }) => [name, pairs])).toEqual([
    ["alice", 40],
    ["rita", 4],
  ]);
  expect(shares(REPORT, "per_flag")).toEqual([]);
});

test("members of an ensemble stand beside their combinations", () => {
  expect(ensemble(REPORT).alone).toEqual([0.6, 0.7]);
  expect(ensemble(REPORT).combined).toEqual([
    { name: "mean", value: 0.72, low: null, high: null, pairs: 44 },
  ]);
  expect(ensemble({ ensemble: null })).toEqual({ combined: [], alone: [] });
});

test("leaving a labeler out says what it changes, where that is defined", () => {
  expect(leaveOut(REPORT)).toEqual([
    { labeler: "bob", rankings: 9, all: { value: 0.02, low: -0.01, high: 0.05 }, others: null },
  ]);
});

test("the best of n goes from few to many, with what people's own pick would be worth", () => {
  const rows = [
    { n: 4, model: 0.7, model_ci: [0.6, 0.8], labeler: 0.9 },
    { n: 2, model: 0.6, labeler: null },
  ];
  expect(bestOfN({ best_of_n: rows })).toEqual([
    { n: 2, model: { value: 0.6, low: null, high: null }, labeler: null },
    { n: 4, model: { value: 0.7, low: 0.6, high: 0.8 }, labeler: { value: 0.9, low: null, high: null } },
  ]);
});

test("an older report has no length bins", () => {
  expect(lengthBias(REPORT)).toEqual([]);
});
