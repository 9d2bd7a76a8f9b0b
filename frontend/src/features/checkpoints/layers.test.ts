import { expect, test } from "vitest";
import { place } from "./layers";

const node = (id: string) => ({ id, type: "run", label: id });
const edge = (from: string, to: string) => ({ from, to, role: "input" });

test("everything stands right of what it came from, by the longest way", () => {
  const placed = place({
    nodes: ["d", "a", "b", "c"].map(node),
    edges: [edge("a", "b"), edge("b", "c"), edge("a", "d"), edge("c", "d")],
  });
  expect(Object.fromEntries(placed.map(({ id, column }) => [id, column]))).toEqual({
    a: 0,
    b: 1,
    c: 2,
    d: 3,
  });
});

test("no two share a place", () => {
  const placed = place({ nodes: ["a", "b", "c"].map(node), edges: [edge("a", "c")] });
  expect(placed.map(({ column, row }) => [column, row])).toEqual([
    [0, 0],
    [0, 1],
    [1, 0],
  ]);
});

test("a cycle, which there should not be, ends", () => {
  expect(place({ nodes: ["a", "b"].map(node), edges: [edge("a", "b"), edge("b", "a")] })).toHaveLength(2);
});
