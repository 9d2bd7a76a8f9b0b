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
import { draftOf, isSameText } from "./demonstration";

export function DemonstrationScreen({ lease, onAnswered, onSkipped, onLeave }: TaskScreenProps) {
  const { prompt, policy_draft: policyDraft } = lease.task;
  const [draft] = useState(() => draftOf(startingDraft(lease)));
  const [text, setText] = useState(draft.text);
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
    (value: string) => {
      setText(value);
      saving.save({ text: value, active_ms: Math.round(activeMs()) });
    },
    [saving, activeMs],
  );

  const empty = text.trim() === "";
  const send = (confirmed: boolean) => {
    if (empty || submit.isPending) return;
    if (!confirmed && isSameText(text, policyDraft)) {
      setConfirming(true);
      return;
    }
    setConfirming(false);
    const body: DemonstrationBody = { text: text.trim(), active_ms: Math.round(activeMs()) };
    submit.mutate(confirmed ? { ...body, confirm_same_as_draft: true } : body);
  };

  return (
    <WorkFrame
      lease={lease}
      title={t.demonstration.title}
      saving={saving.state}
      pending={submit.isPending}
      error={submit.error ?? skip.error}
      kept={text}
      onSkip={(reason, comment) => skip.mutate({ reason, comment })}
      onLeave={onLeave}
      tools={
        <label className="toggle">
          <input type="checkbox" checked={plain} onChange={(event) => setPlain(event.target.checked)} />
          {t.work.plainText}
        </label>
      }
      aside={<Conversation messages={prompt.messages} plain={plain} />}
      status={t.demonstration.words(text.trim() === "" ? 0 : text.trim().split(/\s+/).length)}
      actions={
        <button
          type="button"
          className="button primary"
          disabled={empty || submit.isPending}
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
            disabled={!empty}
            onClick={() => change(policyDraft)}
          >
            {t.demonstration.useDraft}
          </button>
        </section>
      )}
      <Field
        label={t.demonstration.reply}
        help={t.demonstration.replyHelp}
        error={submit.error?.fields["text"]}
      >
        {(control) => (
          <textarea
            {...control}
            className="reply"
            rows={14}
            dir="auto"
            value={text}
            onChange={(event) => change(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(false);
            }}
          />
        )}
      </Field>
      <label className="toggle">
        <input type="checkbox" checked={preview} onChange={(event) => setPreview(event.target.checked)} />
        {t.demonstration.preview}
      </label>
      {preview && (
        <div className="card card-preview-text">
          <Markdown text={text} />
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
