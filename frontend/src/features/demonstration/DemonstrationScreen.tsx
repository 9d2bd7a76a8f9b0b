/** Writing the ideal reply to a conversation, from nothing or from the policy's draft. */
import { useCallback, useState } from "react";
import type { DemonstrationBody } from "../../api/types";
import { startingDraft } from "../../api/draft";
import { useDraft, useSkip, useSubmit } from "../../api/work";
import { Conversation } from "../../components/Conversation";
import { Dialog } from "../../components/Dialog";
import { Field } from "../../components/Field";
import { Markdown } from "../../components/Markdown";
import type { TaskScreenProps } from "../../components/TaskScreen";
import { useActiveTime } from "../../components/useActiveTime";
import { WorkFrame } from "../../components/WorkFrame";
import { t } from "../../texts";
import {
  type Turns,
  changed,
  draftOf,
  goneOn,
  isComplete,
  isSameText,
  shortened,
  toSubmission,
} from "./demonstration";

export function DemonstrationScreen({ lease, onAnswered, onSkipped, onLeave }: TaskScreenProps) {
  const { prompt, policy_draft: policyDraft } = lease.task;
  const [draft] = useState(() => draftOf(startingDraft(lease)));
  const [turns, setTurns] = useState<Turns>(draft.turns);
  const [plain, setPlain] = useState(false);
  const [preview, setPreview] = useState(false);
  const [confirming, setConfirming] = useState(false);
  const activeMs = useActiveTime(draft.activeMs);

  const saving = useDraft(lease);
  const submit = useSubmit<DemonstrationBody>(lease, "demonstration", (answer) => {
    saving.close();
    onAnswered(answer);
  });
  const skip = useSkip(lease, () => {
    saving.close();
    onSkipped();
  });

  const change = useCallback(
    (next: Turns) => {
      setTurns(next);
      saving.save({ turns: next, active_ms: Math.round(activeMs()) });
    },
    [saving, activeMs],
  );

  const fields = submit.error?.fields ?? {};
  const complete = isComplete(turns);
  const first = turns[0]?.content ?? "";
  const send = (confirmed: boolean) => {
    if (!complete || submit.isPending) return;
    if (!confirmed && turns.length === 1 && isSameText(first, policyDraft)) {
      setConfirming(true);
      return;
    }
    setConfirming(false);
    const body = toSubmission(turns, activeMs());
    submit.mutate(confirmed ? { ...body, confirm_same_as_draft: true } : body);
  };
  const words = turns.flatMap((turn) => turn.content.trim().split(/\s+/).filter(Boolean)).length;

  return (
    <WorkFrame
      lease={lease}
      title={t.demonstration.title}
      saving={saving.state}
      pending={submit.isPending}
      error={submit.error ?? skip.error}
      kept={turns.map((turn) => turn.content).join("\n\n")}
      onSkip={(reason, comment) => skip.mutate({ reason, comment })}
      onLeave={onLeave}
      tools={
        <label className="toggle">
          <input type="checkbox" checked={plain} onChange={(event) => setPlain(event.target.checked)} />
          {t.work.plainText}
        </label>
      }
      aside={<Conversation messages={prompt.messages} plain={plain} />}
      status={t.demonstration.words(words)}
      actions={
        <button
          type="button"
          className="button primary"
          disabled={!complete || submit.isPending}
          onClick={() => send(false)}
        >
          {t.work.submit} <kbd>Ctrl ↵</kbd>
        </button>
      }
    >
      {policyDraft !== null && (
        <section className="policy-draft" aria-labelledby="policy-draft">
          <h2 id="policy-draft">{t.demonstration.policyDraft}</h2>
          <Markdown text={policyDraft} plain={plain} />
          <button
            type="button"
            className="button small"
            disabled={first.trim() !== ""}
            onClick={() => change(changed(turns, 0, policyDraft))}
          >
            {t.demonstration.useDraft}
          </button>
        </section>
      )}
      {turns.map((turn, index) => (
        <Field
          key={index}
          label={
            index === 0
              ? t.demonstration.reply
              : turn.role === "user"
                ? t.demonstration.userTurn
                : t.demonstration.nextReply
          }
          help={index === 0 ? t.demonstration.replyHelp : undefined}
          error={index === 0 ? (fields["text"] ?? fields["messages"]) : undefined}
        >
          {(control) => (
            <textarea
              {...control}
              className="reply"
              rows={turns.length === 1 ? 14 : 6}
              dir="auto"
              value={turn.content}
              onChange={(event) => change(changed(turns, index, event.target.value))}
              onKeyDown={(event) => {
                if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(false);
              }}
            />
          )}
        </Field>
      ))}
      <div className="row">
        <button type="button" className="button small" onClick={() => change(goneOn(turns))}>
          {t.demonstration.goOn}
        </button>
        {turns.length > 1 && (
          <button type="button" className="button small quiet" onClick={() => change(shortened(turns))}>
            {t.demonstration.shorten}
          </button>
        )}
      </div>
      <label className="toggle">
        <input type="checkbox" checked={preview} onChange={(event) => setPreview(event.target.checked)} />
        {t.demonstration.preview}
      </label>
      {preview && (
        <div className="card card-preview-text">
          {turns.length === 1 ? <Markdown text={first} /> : <Conversation messages={turns} />}
        </div>
      )}
      {confirming && (
        <Dialog title={t.demonstration.sameTitle} onClose={() => setConfirming(false)}>
          <p>{t.demonstration.sameExplain}</p>
          <div className="actions">
            <button type="button" className="button" onClick={() => setConfirming(false)}>
              {t.demonstration.keepEditing}
            </button>
            <button type="button" className="button primary" onClick={() => send(true)}>
              {t.demonstration.sameConfirm}
            </button>
          </div>
        </Dialog>
      )}
    </WorkFrame>
  );
}
