/** Which place a pointer means while dragging. Pure geometry, in viewport pixels. */

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Layout {
  tiers: Box[];
  /** The whole order, gaps and empty space included. */
  ranked: Box | null;
  unacceptable: Box | null;
  unranked: Box | null;
}

export type Target =
  | { type: "gap"; gap: number }
  | { type: "tier"; tier: number }
  | { type: "unacceptable" }
  | { type: "unranked" };

/**
 * Over a tier its upper and lower edges mean "above" and "below" and its middle means "tied"; elsewhere in
 * the order the nearest gap is meant. Without ties a tier has two halves.
 */
export function targetAt(x: number, y: number, layout: Layout, ties: boolean): Target | null {
  for (const [index, box] of layout.tiers.entries()) {
    if (!within(x, y, box)) continue;
    const edge = ties ? Math.min(box.height / 3, 90) : box.height / 2;
    if (y < box.top + edge) return { type: "gap", gap: index };
    if (y >= box.top + box.height - edge) return { type: "gap", gap: index + 1 };
    return { type: "tier", tier: index };
  }
  if (layout.ranked && within(x, y, layout.ranked)) {
    const above = layout.tiers.filter((box) => box.top + box.height / 2 < y).length;
    return { type: "gap", gap: above };
  }
  if (layout.unacceptable && within(x, y, layout.unacceptable)) return { type: "unacceptable" };
  if (layout.unranked && within(x, y, layout.unranked)) return { type: "unranked" };
  return null;
}

function within(x: number, y: number, box: Box): boolean {
  return x >= box.left && x < box.left + box.width && y >= box.top && y < box.top + box.height;
}
