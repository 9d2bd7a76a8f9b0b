/** One response: its whole text, where it stands, and every way to move it. */
import { useDraggable } from "@dnd-kit/core";
import { type Dispatch, useEffect, useRef } from "react";
import type { ResponseItem, TaskSettings } from "../../api/types";
import { Icon, type IconName } from "../../components/Icon";
import { Markdown } from "../../components/Markdown";
import { t } from "../../texts";
import { type Board, type Notes, rankOf, tierOf, zoneOf } from "./ranking";
import type { Action } from "./state";

export interface CardProps {
  response: ResponseItem;
  number: number;
  board: Board;
  settings: TaskSettings;
  notes: Notes;
  current: boolean;
  picking: boolean;
  plain: boolean;
  lengths: boolean;
  dispatch: Dispatch<Action>;
  onNotes: (change: (notes: Notes) => Notes) => void;
}

export function ResponseCard(props: CardProps) {
  const { response, number, board, current, picking, plain, lengths, dispatch } = props;
  const { id } = response;
  const { setNodeRef, listeners, isDragging } = useDraggable({ id });
  const ref = useRef<HTMLElement | null>(null);

  useEffect(() => {
    if (current) ref.current?.scrollIntoView({ block: "nearest" });
  }, [current, board]);

  const classes = ["card", current ? "current" : "", picking ? "picking" : "", isDragging ? "dragging" : ""];
  return (
    <article
      ref={(node) => {
        setNodeRef(node);
        ref.current = node;
      }}
      className={classes.filter(Boolean).join(" ")}
      aria-label={t.ranking.response(number)}
      aria-current={current || undefined}
      data-response={id}
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- keys act on the focused response
      tabIndex={0}
      onFocus={(event) => {
        if (event.target === event.currentTarget && !current) dispatch({ type: "select", id });
      }}
    >
      <header className="card-head" {...listeners}>
        <span className="grip" aria-hidden="true" />
        <kbd className="card-number">{number}</kbd>
        {lengths && (
          <span className="card-length">{t.ranking.length(response.tokens, response.text.length)}</span>
        )}
        <Moves {...props} />
      </header>
      {picking && <Places {...props} />}
      <div className="card-text">
        <Markdown text={response.text} plain={plain} />
      </div>
      <CardNotes {...props} />
    </article>
  );
}

function Moves({ response, number, board, settings, dispatch }: CardProps) {
  const { id } = response;
  const name = t.ranking.response(number);
  const zone = zoneOf(board, id);
  const tier = tierOf(board, id);
  const tied = (board.ranked[tier]?.length ?? 0) > 1;
  const button = (label: string, icon: IconName, action: Action, disabled = false) => (
    <button
      type="button"
      className="icon-button"
      title={label}
      aria-label={`${name}: ${label}`}
      disabled={disabled}
      onClick={() => dispatch(action)}
      // The header is the handle for dragging; its buttons are not.
      onMouseDown={(event) => event.stopPropagation()}
      onTouchStart={(event) => event.stopPropagation()}
    >
      <Icon name={icon} />
    </button>
  );
  return (
    <span className="moves">
      {zone === "ranked" ? (
        <>
          {button(t.ranking.moveUp, "up", { type: "move", id, direction: "up" }, tier === 0 && !tied)}
          {button(
            t.ranking.moveDown,
            "down",
            { type: "move", id, direction: "down" },
            tier === board.ranked.length - 1 && !tied,
          )}
          {settings.allow_ties &&
            (tied
              ? button(t.ranking.untie, "untie", { type: "untie", id })
              : button(t.ranking.tieAbove, "tie", { type: "tie", id }, tier === 0))}
          {button(t.ranking.takeOut, "back", { type: "unrank", id })}
        </>
      ) : (
        button(t.ranking.pick, "place", { type: "pick", id })
      )}
      {zone === "unacceptable"
        ? button(t.ranking.takeOut, "back", { type: "unrank", id })
        : settings.allow_unacceptable &&
          button(t.ranking.markUnacceptable, "ban", { type: "unacceptable", id })}
    </span>
  );
}

/** Where the picked response can go, for people who click. */
function Places({ response, board, settings, dispatch }: CardProps) {
  const { id } = response;
  const own = tierOf(board, id);
  const alone = board.ranked[own]?.length === 1;
  const places = board.ranked.length + (alone ? 0 : 1);
  return (
    <div className="places" role="group" aria-label={t.ranking.choosePlace}>
      {Array.from({ length: places }, (_, index) => (
        <button
          key={index}
          type="button"
          className="button small"
          onClick={() => dispatch({ type: "place", id, rank: index + 1 })}
        >
          {t.ordinal(index + 1)}
        </button>
      ))}
      {settings.allow_ties &&
        board.ranked.map((tier, index) => {
          const other = tier.find((each) => each !== id);
          if (index === own || other === undefined) return null;
          return (
            <button
              key={`tie-${index}`}
              type="button"
              className="button small quiet"
              onClick={() => dispatch({ type: "tieWith", id, other })}
            >
              {t.ranking.tieWith(t.ordinal(rankOf(board, other) ?? 0))}
            </button>
          );
        })}
    </div>
  );
}

function CardNotes({ response, number, settings, notes, onNotes }: CardProps) {
  const { id } = response;
  const flags = notes.flags[id] ?? [];
  if (settings.likert_points === 0 && settings.flags.length === 0) return null;
  return (
    <footer className="card-notes">
      {settings.likert_points > 0 && (
        <fieldset className="likert">
          <legend>{t.ranking.likert(settings.likert_points)}</legend>
          {Array.from({ length: settings.likert_points }, (_, index) => index + 1).map((points) => (
            <label key={points}>
              <input
                type="radio"
                name={`likert-${id}`}
                checked={notes.likert[id] === points}
                onChange={() =>
                  onNotes((before) => ({ ...before, likert: { ...before.likert, [id]: points } }))
                }
              />
              <span>{points}</span>
            </label>
          ))}
        </fieldset>
      )}
      {settings.flags.length > 0 && (
        <fieldset className="flags">
          <legend className="visually-hidden">{t.ranking.flagsOf(number)}</legend>
          {settings.flags.map((flag) => (
            <label key={flag}>
              <input
                type="checkbox"
                checked={flags.includes(flag)}
                onChange={(event) => {
                  const next = event.target.checked
                    ? [...flags, flag]
                    : flags.filter((each) => each !== flag);
                  onNotes((before) => ({ ...before, flags: { ...before.flags, [id]: next } }));
                }}
              />
              <span>{t.flag(flag)}</span>
            </label>
          ))}
        </fieldset>
      )}
    </footer>
  );
}

export function CardPreview({ response, number }: { response: ResponseItem; number: number }) {
  return (
    <div className="card card-preview">
      <header className="card-head">
        <span className="grip" aria-hidden="true" />
        <kbd className="card-number">{number}</kbd>
      </header>
      <p>{response.text.slice(0, 160)}</p>
    </div>
  );
}
