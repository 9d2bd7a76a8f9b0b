/** Ranking the responses to one prompt from best to worst, by keyboard, click or drag. */
import { useCallback, useEffect, useMemo, useReducer, useRef, useState } from "react";
import { startingDraft } from "../../api/draft";
import { useDraft, useSkip, useSubmit } from "../../api/work";
import type { RankingBody, ResponseItem } from "../../api/types";
import { Conversation } from "../../components/Conversation";
import { Dialog } from "../../components/Dialog";
import type { TaskScreenProps } from "../../components/TaskScreen";
import { useActiveTime } from "../../components/useActiveTime";
import { useKeys } from "../../components/useKeys";
import { WorkFrame } from "../../components/WorkFrame";
import { t } from "../../texts";
import { BoardView } from "./Board";
import { CompareDialog } from "./CompareDialog";
import { commandOf } from "./keys";
import { NotesForm } from "./NotesForm";
import {
  type Board,
  type Notes,
  fromDraft,
  isComplete,
  rankOf,
  toDraft,
  toSubmission,
  zoneOf,
} from "./ranking";
import { CardPreview, ResponseCard } from "./ResponseCard";
import { reducer, start } from "./state";

export function RankingScreen({ lease, onAnswered, onSkipped, onLeave }: TaskScreenProps) {
  const { responses, settings, prompt } = lease.task;
  const shown = useMemo(() => responses.map((response) => response.id), [responses]);
  const [draft] = useState(() => fromDraft(startingDraft(lease), shown));
  const step = useMemo(() => reducer(settings, shown), [settings, shown]);
  const [state, dispatch] = useReducer(step, draft.board, start);
  const [notes, setNotes] = useState<Notes>(draft.notes);
  const [dialog, setDialog] = useState<"keys" | "compare" | null>(null);
  const [plain, setPlain] = useState(false);
  const [lengths, setLengths] = useState(false);
  const activeMs = useActiveTime(draft.activeMs);

  const saving = useDraft(lease);
  const submit = useSubmit<RankingBody>(lease, "ranking", (answer) => {
    saving.close();
    onAnswered(answer);
  });
  const skip = useSkip(lease, () => {
    saving.close();
    onSkipped();
  });

  const { save } = saving;
  const first = useRef(true);
  useEffect(() => {
    if (first.current) first.current = false;
    else save({ ...toDraft(state.board, notes, activeMs()) });
  }, [state.board, notes, activeMs, save]);

  const complete = isComplete(state.board, settings);
  const { mutate, isPending } = submit;
  const send = useCallback(() => {
    if (complete && !isPending) mutate(toSubmission(state.board, notes, activeMs()));
  }, [complete, isPending, mutate, state.board, notes, activeMs]);

  const [shortcuts] = useKeys((event) => {
    const command = commandOf(event);
    if (command === null || isPending) return false;
    if (command.type === "submit") send();
    else if (command.type === "help") setDialog("keys");
    else if (command.type === "move" && state.current === null) return false;
    else dispatch(command);
    return true;
  }, dialog === null);

  const numbers = useMemo(() => new Map(shown.map((id, index) => [id, index + 1])), [shown]);
  const byId = useMemo(() => new Map(responses.map((response) => [response.id, response])), [responses]);
  const decided = shown.length - state.board.unranked.length;
  const card = (id: string) => {
    const response = byId.get(id);
    if (response === undefined) return null;
    return (
      <ResponseCard
        key={id}
        response={response}
        number={numbers.get(id) ?? 0}
        board={state.board}
        settings={settings}
        notes={notes}
        current={state.current === id}
        picking={state.picking && state.current === id}
        plain={plain}
        lengths={lengths}
        dispatch={dispatch}
        onNotes={setNotes}
      />
    );
  };

  return (
    <WorkFrame
      lease={lease}
      title={t.ranking.title}
      saving={saving.state}
      pending={isPending}
      error={submit.error ?? skip.error}
      kept={describe(state.board, notes, responses)}
      onSkip={(reason, comment) => skip.mutate({ reason, comment })}
      onLeave={onLeave}
      onKeys={() => setDialog("keys")}
      tools={
        <>
          <label className="toggle">
            <input type="checkbox" checked={plain} onChange={(event) => setPlain(event.target.checked)} />
            {t.work.plainText}
          </label>
          <label className="toggle">
            <input type="checkbox" checked={lengths} onChange={(event) => setLengths(event.target.checked)} />
            {t.ranking.showLengths}
          </label>
          <button type="button" className="button small quiet" onClick={() => setDialog("compare")}>
            {t.ranking.compare}
          </button>
        </>
      }
      aside={
        <>
          <Conversation messages={prompt.messages} plain={plain} />
          <div className="work-notes">
            <NotesForm settings={settings} notes={notes} onNotes={setNotes} />
          </div>
        </>
      }
      status={t.ranking.decided(decided, shown.length)}
      actions={
        <>
          <button
            type="button"
            className="button"
            disabled={state.past.length === 0 || isPending}
            onClick={() => dispatch({ type: "undo" })}
          >
            {t.ranking.undo} <kbd>u</kbd>
          </button>
          <button type="button" className="button primary" disabled={!complete || isPending} onClick={send}>
            {t.work.submit} <kbd>↵</kbd>
          </button>
        </>
      }
    >
      <BoardView
        board={state.board}
        rules={settings}
        dispatch={dispatch}
        numberOf={(id) => numbers.get(id) ?? 0}
        card={card}
        preview={(id) => {
          const response = byId.get(id);
          return response && <CardPreview response={response} number={numbers.get(id) ?? 0} />;
        }}
      />
      <p className="visually-hidden" role="status">
        {spoken(state.board, state.current, state.picking, numbers)}
      </p>
      {dialog === "compare" && <CompareDialog responses={responses} onClose={() => setDialog(null)} />}
      {dialog === "keys" && <KeysDialog enabled={shortcuts} onClose={() => setDialog(null)} />}
    </WorkFrame>
  );
}

function KeysDialog({
  enabled,
  onClose,
}: {
  enabled: { on: boolean; set: (on: boolean) => void };
  onClose: () => void;
}) {
  return (
    <Dialog title={t.keys.title} onClose={onClose}>
      <dl className="keys">
        {t.keys.ranking.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <label className="toggle">
        <input type="checkbox" checked={enabled.on} onChange={(event) => enabled.set(event.target.checked)} />
        {t.keys.enabled}
      </label>
    </Dialog>
  );
}

/** What a screen reader hears after a step. */
function spoken(
  board: Board,
  current: string | null,
  picking: boolean,
  numbers: Map<string, number>,
): string {
  if (current === null) return "";
  const name = t.ranking.response(numbers.get(current) ?? 0);
  if (picking) return t.ranking.picked(name);
  const rank = rankOf(board, current);
  if (rank !== null) {
    const tied = (board.ranked[rank - 1]?.length ?? 0) > 1;
    return tied ? `${name}: ${t.ranking.tiedAt(t.ordinal(rank))}` : `${name}: ${t.ordinal(rank)}`;
  }
  return zoneOf(board, current) === "unacceptable"
    ? `${name}: ${t.ranking.unacceptable}`
    : `${name}: ${t.ranking.unranked}`;
}

/** The work in words, to keep when the task is lost. */
function describe(board: Board, notes: Notes, responses: ResponseItem[]): string {
  const texts = new Map(responses.map((response) => [response.id, response.text]));
  const lines = board.ranked.map(
    (tier, index) => `${index + 1}. ${tier.map((id) => texts.get(id)).join("\n = ")}`,
  );
  const bad = board.unacceptable.map((id) => `✕ ${texts.get(id) ?? ""}`);
  return [...lines, ...bad, notes.rationale].filter(Boolean).join("\n\n");
}
