import { expect, test } from "vitest";
import { grouped, place } from "./layers";

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

test("a source stands beside its first use", () => {
  const placed = place({
    nodes: ["corpus", "base", "sft", "prompts"].map(node),
    edges: [edge("corpus", "base"), edge("base", "sft"), edge("prompts", "sft")],
  });
  expect(placed.find(({ id }) => id === "prompts")).toMatchObject({ column: 1, row: 1 });
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

test("many labelers who fed the same snapshot are one node", () => {
  const labelers = ["w", "x", "y", "z"].map((id) => ({ id, type: "labeler", label: id }));
  const nodes = [...labelers, { id: "v", type: "labeler", label: "v" }, node("s"), node("r")];
  const edges = [...labelers.map(({ id }) => edge(id, "s")), edge("v", "r"), edge("s", "r")];
  const found = grouped({ nodes, edges }, (count, type) => `${count} ${type}s`);
  expect(found.nodes.map(({ label }) => label)).toEqual(["4 labelers", "v", "s", "r"]);
  expect(found.edges).toEqual([edge("w", "s"), edge("v", "r"), edge("s", "r")]);
});

test("a few labelers keep their names", () => {
  const nodes = ["x", "y"].map((id) => ({ id, type: "labeler", label: id }));
  const lineage = { nodes: [...nodes, node("s")], edges: [edge("x", "s"), edge("y", "s")] };
  expect(grouped(lineage, () => "")).toEqual(lineage);
});
