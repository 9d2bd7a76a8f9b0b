import { useEffect, useRef } from "react";
import type { Lineage } from "../../api/types";
import { t } from "../../texts";
import { type Placed, grouped, place } from "./layers";

const WIDTH = 176;
const HEIGHT = 58;
const GAP_X = 44;
const GAP_Y = 18;

const left = (node: Placed) => node.column * (WIDTH + GAP_X);
const top = (node: Placed) => node.row * (HEIGHT + GAP_Y);

/** Where a checkpoint came from and what came of it; left to right. */
export function LineageGraph({ lineage: whole, current }: { lineage: Lineage; current: string }) {
  const lineage = grouped(whole, t.checkpoints.group);
  const nodes = place(lineage);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const width = Math.max(...nodes.map(left)) + WIDTH;
  const area = useRef<HTMLDivElement>(null);
  const here = byId.get(current);
  const middle = here === undefined ? 0 : left(here) + WIDTH / 2;
  useEffect(() => {
    if (area.current) area.current.scrollLeft = middle - area.current.clientWidth / 2;
  }, [middle]);
  const height = Math.max(...nodes.map(top)) + HEIGHT;
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling area needs the keyboard
    <div ref={area} className="scroll-x lineage" tabIndex={0}>
      <div className="lineage-canvas" style={{ width, height }}>
        <svg width={width} height={height} aria-hidden="true">
          {lineage.edges.map(({ from, to, role }) => {
            const a = byId.get(from);
            const b = byId.get(to);
            if (a === undefined || b === undefined) return null;
            const x1 = left(a) + WIDTH;
            const y1 = top(a) + HEIGHT / 2;
            const x2 = left(b);
            const y2 = top(b) + HEIGHT / 2;
            const bend = (x2 - x1) / 2;
            return (
              <path
                key={`${from} ${to} ${role}`}
                d={`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`}
              />
            );
          })}
        </svg>
        <ul>
          {nodes.map((node) => (
            <li
              key={node.id}
              className={node.id === current ? "lineage-node current" : "lineage-node"}
              style={{ left: left(node), top: top(node), width: WIDTH, height: HEIGHT }}
            >
              <span className="lineage-type">{t.words(node.type)}</span>
              <span className="lineage-label" title={node.label}>
                {node.label}
              </span>
              <span className="visually-hidden">{sources(lineage, node.id, byId)}</span>
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}

function sources(lineage: Lineage, id: string, byId: Map<string, Placed>): string {
  const from = lineage.edges.filter((edge) => edge.to === id).map((edge) => byId.get(edge.from)?.label ?? "");
  return from.length > 0 ? t.checkpoints.madeFrom(from.join(", ")) : "";
}
