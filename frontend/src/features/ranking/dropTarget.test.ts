import { expect, test } from "vitest";
import { type Layout, targetAt } from "./dropTarget";

const box = (top: number, height: number) => ({ left: 0, top, width: 100, height });
const layout: Layout = {
  tiers: [box(20, 60), box(100, 60)],
  ranked: box(0, 200),
  unacceptable: box(300, 50),
  unranked: box(200, 100),
};

test.each([
  [25, { type: "gap", gap: 0 }],
  [50, { type: "tier", tier: 0 }],
  [75, { type: "gap", gap: 1 }],
  [90, { type: "gap", gap: 1 }],
  [130, { type: "tier", tier: 1 }],
  [195, { type: "gap", gap: 2 }],
  [5, { type: "gap", gap: 0 }],
  [250, { type: "unranked" }],
  [320, { type: "unacceptable" }],
  [400, null],
])("a pointer at height %i", (y, target) => {
  expect(targetAt(50, y, layout, true)).toEqual(target);
});

test("without ties a tier has two halves", () => {
  expect(targetAt(50, 49, layout, false)).toEqual({ type: "gap", gap: 0 });
  expect(targetAt(50, 51, layout, false)).toEqual({ type: "gap", gap: 1 });
});

test("an empty order takes its first response anywhere", () => {
  expect(targetAt(50, 150, { ...layout, tiers: [] }, true)).toEqual({ type: "gap", gap: 0 });
});

test("beside everything is nowhere", () => {
  expect(targetAt(150, 50, layout, true)).toBeNull();
});
