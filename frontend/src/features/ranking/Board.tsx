/** The three places a response can be in, and dragging between them. */
import {
  type Active,
  type CollisionDetection,
  DndContext,
  type DragEndEvent,
  DragOverlay,
  MeasuringStrategy,
  MouseSensor,
  TouchSensor,
  useDroppable,
  useSensor,
  useSensors,
} from "@dnd-kit/core";
import { type Dispatch, Fragment, type ReactNode, useMemo, useState } from "react";
import { t } from "../../texts";
import { type Box, targetAt, type Target } from "./dropTarget";
import type { Board, Rules } from "./ranking";
import type { Action } from "./state";

export interface BoardProps {
  board: Board;
  rules: Rules;
  dispatch: Dispatch<Action>;
  numberOf: (id: string) => number;
  card: (id: string) => ReactNode;
  preview: (id: string) => ReactNode;
}

export function BoardView({ board, rules, dispatch, numberOf, card, preview }: BoardProps) {
  const [dragged, setDragged] = useState<string | null>(null);
  const sensors = useSensors(
    useSensor(MouseSensor, { activationConstraint: { distance: 6 } }),
    useSensor(TouchSensor, { activationConstraint: { delay: 180, tolerance: 8 } }),
  );
  const detect = useMemo(() => collisions(rules.allow_ties), [rules.allow_ties]);

  const drop = (event: DragEndEvent) => {
    setDragged(null);
    const id = String(event.active.id);
    const target = event.over === null ? null : parseTarget(String(event.over.id));
    if (target === null) return;
    if (target.type === "gap") dispatch({ type: "gap", id, gap: target.gap });
    else if (target.type === "unacceptable") dispatch({ type: "unacceptable", id });
    else if (target.type === "unranked") dispatch({ type: "unrank", id });
    else {
      const other = board.ranked[target.tier]?.find((each) => each !== id);
      if (other !== undefined) dispatch({ type: "tieWith", id, other });
    }
  };

  const name = (active: Active) => t.ranking.response(numberOf(String(active.id)));
  return (
    <DndContext
      sensors={sensors}
      collisionDetection={detect}
      measuring={{ droppable: { strategy: MeasuringStrategy.Always } }}
      onDragStart={(event) => setDragged(String(event.active.id))}
      onDragCancel={() => setDragged(null)}
      onDragEnd={drop}
      accessibility={{
        announcements: {
          onDragStart: ({ active }) => t.ranking.dragStart(name(active)),
          onDragOver: () => undefined,
          onDragEnd: () => undefined,
          onDragCancel: ({ active }) => t.ranking.dragCancel(name(active)),
        },
      }}
    >
      <section className="zone zone-ranked" aria-labelledby="zone-ranked">
        <h2 id="zone-ranked">{t.ranking.order}</h2>
        <Droppable id="ranked" className="order">
          <Gap gap={0} />
          {board.ranked.map((tier, index) => (
            <Fragment key={tier.join()}>
              <Tier index={index} tied={tier.length > 1}>
                {tier.map(card)}
              </Tier>
              <Gap gap={index + 1} />
            </Fragment>
          ))}
          {board.ranked.length === 0 && <p className="zone-empty">{t.ranking.orderEmpty}</p>}
        </Droppable>
      </section>

      <section className="zone" aria-labelledby="zone-unranked">
        <h2 id="zone-unranked">
          {t.ranking.unranked} <span className="count">{board.unranked.length}</span>
        </h2>
        <Droppable id="unranked" className="pool">
          {board.unranked.map(card)}
          {board.unranked.length === 0 && <p className="zone-empty">{t.ranking.unrankedEmpty}</p>}
        </Droppable>
      </section>

      {rules.allow_unacceptable && (
        <section className="zone zone-bad" aria-labelledby="zone-unacceptable">
          <h2 id="zone-unacceptable">
            {t.ranking.unacceptable} <kbd>0</kbd>
          </h2>
          <Droppable id="unacceptable" className="pool">
            {board.unacceptable.map(card)}
            {board.unacceptable.length === 0 && <p className="zone-empty">{t.ranking.unacceptableEmpty}</p>}
          </Droppable>
        </section>
      )}

      <DragOverlay dropAnimation={null}>{dragged !== null && preview(dragged)}</DragOverlay>
    </DndContext>
  );
}

function Droppable({ id, className, children }: { id: string; className: string; children: ReactNode }) {
  const { setNodeRef, isOver } = useDroppable({ id });
  return (
    <div ref={setNodeRef} className={isOver ? `${className} over` : className} data-zone={id}>
      {children}
    </div>
  );
}

function Gap({ gap }: { gap: number }) {
  const { setNodeRef, isOver } = useDroppable({ id: `gap:${gap}` });
  return (
    <div ref={setNodeRef} className={isOver ? "gap over" : "gap"} aria-hidden="true">
      <span>{t.ranking.placeAs(t.ordinal(gap + 1))}</span>
    </div>
  );
}

function Tier({ index, tied, children }: { index: number; tied: boolean; children: ReactNode }) {
  const { setNodeRef, isOver } = useDroppable({ id: `tier:${index}` });
  const label = tied ? t.ranking.tiedAt(t.ordinal(index + 1)) : t.ordinal(index + 1);
  return (
    <div
      ref={setNodeRef}
      className={["tier", tied ? "tied" : "", isOver ? "over" : ""].filter(Boolean).join(" ")}
      role="group"
      aria-label={label}
      data-tier={index + 1}
    >
      <div className="tier-rank" aria-hidden="true">
        <span className="tier-number">{index + 1}</span>
        {tied && <span className="tier-tie">{t.ranking.tie}</span>}
      </div>
      <div className="tier-cards">{children}</div>
    </div>
  );
}

function collisions(ties: boolean): CollisionDetection {
  return ({ droppableContainers, droppableRects, pointerCoordinates }) => {
    if (pointerCoordinates === null) return [];
    const rect = (id: string): Box | null => droppableRects.get(id) ?? null;
    const tiers: Box[] = [];
    for (let box = rect("tier:0"); box !== null; box = rect(`tier:${tiers.length}`)) tiers.push(box);
    const layout = {
      tiers,
      ranked: rect("ranked"),
      unacceptable: rect("unacceptable"),
      unranked: rect("unranked"),
    };
    const target = targetAt(pointerCoordinates.x, pointerCoordinates.y, layout, ties);
    const id = target === null ? null : targetId(target);
    const container = droppableContainers.find((each) => each.id === id);
    return container === undefined
      ? []
      : [{ id: container.id, data: { droppableContainer: container, value: 1 } }];
  };
}

function targetId(target: Target): string {
  if (target.type === "gap") return `gap:${target.gap}`;
  if (target.type === "tier") return `tier:${target.tier}`;
  return target.type;
}

function parseTarget(id: string): Target | null {
  const [type, index] = id.split(":");
  if (type === "gap") return { type, gap: Number(index) };
  if (type === "tier") return { type, tier: Number(index) };
  if (type === "unacceptable" || type === "unranked") return { type };
  return null;
}
