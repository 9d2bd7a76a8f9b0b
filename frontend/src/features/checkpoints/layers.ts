/** Places a lineage graph in columns: everything stands to the right of what it came from. */
import type { Lineage } from "../../api/types";

export interface Placed {
  id: string;
  type: string;
  label: string;
  column: number;
  row: number;
}

/** More sources of one type than this, all used alike, are shown as one. */
const MOST_ALIKE = 3;

/** Draws many labelers that fed the same things as one node; otherwise a project's staff hides its models. */
export function grouped(lineage: Lineage, name: (count: number, type: string) => string): Lineage {
  const uses = new Map<string, string[]>();
  for (const { from, to } of lineage.edges) uses.set(from, [...(uses.get(from) ?? []), to]);
  const made = new Set(lineage.edges.map((edge) => edge.to));
  const alike = new Map<string, Lineage["nodes"]>();
  for (const node of lineage.nodes) {
    if (node.type !== "labeler" || made.has(node.id)) continue;
    const key = (uses.get(node.id) ?? []).toSorted().join(" ");
    alike.set(key, [...(alike.get(key) ?? []), node]);
  }
  const stands = new Map<string, string>();
  const heads = new Map<string, string>();
  for (const nodes of alike.values()) {
    const [head] = nodes;
    if (head === undefined || nodes.length <= MOST_ALIKE) continue;
    heads.set(head.id, name(nodes.length, head.type));
    for (const node of nodes) stands.set(node.id, head.id);
  }
  const edges = new Map<string, Lineage["edges"][number]>();
  for (const edge of lineage.edges) {
    const from = stands.get(edge.from) ?? edge.from;
    edges.set(`${from} ${edge.to} ${edge.role}`, { ...edge, from });
  }
  return {
    nodes: lineage.nodes
      .filter((node) => (stands.get(node.id) ?? node.id) === node.id)
      .map((node) => ({ ...node, label: heads.get(node.id) ?? node.label })),
    edges: [...edges.values()],
  };
}

export function place(lineage: Lineage): Placed[] {
  const columns = new Map(lineage.nodes.map((node) => [node.id, 0]));
  // Longest path by relaxing: a lineage has no cycles, and as many rounds as nodes would end any.
  for (let round = 0; round < lineage.nodes.length; round++) {
    let changed = false;
    for (const { from, to } of lineage.edges) {
      const least = (columns.get(from) ?? 0) + 1;
      if ((columns.get(to) ?? 0) < least) {
        columns.set(to, least);
        changed = true;
      }
    }
    if (!changed) break;
  }
  // What came from nothing stands beside its first use, or its lines would run under everything between.
  const made = new Set(lineage.edges.map((edge) => edge.to));
  for (const { id } of lineage.nodes) {
    const uses = lineage.edges.filter((edge) => edge.from === id).map((edge) => columns.get(edge.to) ?? 0);
    if (!made.has(id) && uses.length > 0) columns.set(id, Math.min(...uses) - 1);
  }
  const rows = new Map<number, number>();
  return lineage.nodes.map((node) => {
    const column = columns.get(node.id) ?? 0;
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    return { ...node, column, row };
  });
}
