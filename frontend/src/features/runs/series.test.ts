import { expect, test } from "vitest";
import { byImportance, toSeries } from "./series";

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
