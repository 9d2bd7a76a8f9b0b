/** Places a lineage graph in columns: everything stands to the right of what it came from. */
import type { Lineage } from "../../api/types";

export interface Placed {
  id: string;
  type: string;
  label: string;
  column: number;
  row: number;
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
  const rows = new Map<number, number>();
  return lineage.nodes.map((node) => {
    const column = columns.get(node.id) ?? 0;
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    return { ...node, column, row };
  });
}
