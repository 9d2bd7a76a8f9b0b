import { expect, test } from "vitest";
import { accuracies, listed, nested, winRates } from "./report";

const REPORT = {
  groups: 40,
  accuracy: 0.81,
  accuracy_ci: [0.75, 0.86],
  length_baseline: 0.58,
  length_baseline_ci: [0.5, 0.66],
  length_prefers: "shorter",
  ceiling: { agreement: 0.88, ci: [0.8, 0.93], pairs: 60 },
  ece: null,
  calibration: [1],
};

test("accuracy stands between the length baseline and the ceiling", () => {
  expect(accuracies(REPORT).map(({ value, low, kind }) => [value, low, kind])).toEqual([
    [0.81, 0.75, "main"],
    [0.58, 0.5, "baseline"],
    [0.88, 0.8, "ceiling"],
  ]);
  expect(accuracies({ ...REPORT, ceiling: null })).toHaveLength(2);
  expect(accuracies({ kl: 0.1 })).toEqual([]);
});

test("an interval stands with its value and structure apart", () => {
  expect(listed(REPORT).find(({ name }) => name === "accuracy")).toEqual({
    name: "accuracy",
    value: 0.81,
    interval: [0.75, 0.86],
  });
  expect(listed(REPORT).map(({ name }) => name)).toEqual([
    "groups",
    "accuracy",
    "length_baseline",
    "length_prefers",
    "ece",
  ]);
  expect(nested(REPORT)).toEqual([["calibration", [1]]]);
});

test("win rates are found by name", () => {
  expect(winRates({ reward_win_rate: 0.7, reward_win_rate_ci: [0.6, 0.8] })).toMatchObject([
    { value: 0.7, low: 0.6, high: 0.8 },
  ]);
});
