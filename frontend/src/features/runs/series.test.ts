import { expect, test } from "vitest";
import { byImportance, differences, overlaid, smoothed, toSeries } from "./series";

const row = (seq: number, step: number, values: Record<string, number | null>) => ({
  seq,
  step,
  time: "",
  values,
});

test("each name has its own steps, in order", () => {
  const rows = [row(1, 2, { loss: 3, kl: null }), row(2, 1, { loss: 4 }), row(3, 3, { heldout: 5 })];
  expect(toSeries(rows)).toEqual([
    { name: "loss", steps: [1, 2], values: [4, 3] },
    { name: "heldout", steps: [3], values: [5] },
  ]);
});

test("of a step that a resumed run repeated, the later value counts", () => {
  expect(toSeries([row(1, 1, { loss: 9 }), row(2, 2, { loss: 8 }), row(3, 1, { loss: 7 })])).toEqual([
    { name: "loss", steps: [1, 2], values: [7, 8] },
  ]);
});

test("what matters comes first, the rest stays in order", () => {
  const series = toSeries([row(1, 1, { beta: 1, kl: 1, alpha: 1, loss: 1, score: 1 })]);
  expect(byImportance(series).map(({ name }) => name)).toEqual(["loss", "score", "kl", "beta", "alpha"]);
});

test("smoothing keeps a constant and the first value, and forgets the past by its weight", () => {
  expect(smoothed([2, 2, 2], 0.9).map((value) => value.toFixed(9))).toEqual(Array(3).fill("2.000000000"));
  expect(smoothed([4, 0], 0.5)).toEqual([4, 4 / 3]);
  expect(smoothed([1, 5], 0)).toEqual([1, 5]);
});

test("runs lie over one another by measure, what all have first", () => {
  const a = [row(1, 1, { kl: 1, loss: 2 })];
  const b = [row(1, 1, { loss: 3 })];
  expect(
    overlaid([a, b]).map(({ name, series }) => [name, series.map((one) => one?.values ?? null)]),
  ).toEqual([
    ["loss", [[2], [3]]],
    ["kl", [[1], null]],
  ]);
});

test("only settings that differ are listed", () => {
  expect(
    differences([
      { lr: 1, steps: 5 },
      { lr: 2, steps: 5 },
      { lr: 1, steps: 5, gamma: 1 },
    ]),
  ).toEqual([
    { name: "lr", values: [1, 2, 1] },
    { name: "gamma", values: [undefined, undefined, 1] },
  ]);
});
