/** Two responses whose makers are hidden: which one is better, if any. */
import { useState } from "react";
import type { ComparisonBody } from "../../api/types";
import { startingDraft } from "../../api/draft";
import { useDraft, useSkip, useSubmit } from "../../api/work";
import { Conversation } from "../../components/Conversation";
import { Dialog } from "../../components/Dialog";
import { Field } from "../../components/Field";
import { Markdown } from "../../components/Markdown";
import type { TaskScreenProps } from "../../components/TaskScreen";
import { useActiveTime } from "../../components/useActiveTime";
import { useKeys } from "../../components/useKeys";
import { WorkFrame } from "../../components/WorkFrame";
import { t } from "../../texts";
import { choiceOfKey, draftOf, type Choice } from "./comparison";

export function ComparisonScreen({ lease, onAnswered, onSkipped, onLeave }: TaskScreenProps) {
  const { responses, prompt, settings } = lease.task;
  const ids = responses.map((response) => response.id);
  const [draft] = useState(() => draftOf(startingDraft(lease), ids));
  const [choice, setChoice] = useState<Choice | null>(draft.choice);
  const [rationale, setRationale] = useState(draft.rationale);
  const [plain, setPlain] = useState(false);
  const [help, setHelp] = useState(false);
  const activeMs = useActiveTime(draft.activeMs);

  const saving = useDraft(lease);
  const submit = useSubmit<ComparisonBody>(lease, "comparison", (answer) => {
    saving.close();
    onAnswered(answer);
  });
  const skip = useSkip(lease, () => {
    saving.close();
    onSkipped();
  });

  const change = (next: Choice | null, words: string) => {
    setChoice(next);
    setRationale(words);
    saving.save({ choice: next, rationale: words, active_ms: Math.round(activeMs()) });
  };
  const send = () => {
    if (choice === null || submit.isPending) return;
    submit.mutate({ choice, rationale: rationale.trim(), active_ms: Math.round(activeMs()) });
  };
  const [shortcuts] = useKeys((event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.key === "Enter") send();
    else if (event.key === "?") setHelp(true);
    else {
      const chosen = choiceOfKey(event, ids);
      if (chosen === null) return false;
      change(chosen, rationale);
    }
    return true;
  }, !help);

  const option = (value: Choice, label: string, key: string) => (
    <button
      type="button"
      className={choice === value ? "button choice chosen" : "button choice"}
      aria-pressed={choice === value}
      onClick={() => change(value, rationale)}
    >
      {label} <kbd>{key}</kbd>
    </button>
  );

  return (
    <WorkFrame
      lease={lease}
      title={t.comparison.title}
      saving={saving.state}
      pending={submit.isPending}
      error={submit.error ?? skip.error}
      kept={rationale}
      onSkip={(reason, comment) => skip.mutate({ reason, comment })}
      onLeave={onLeave}
      onKeys={() => setHelp(true)}
      tools={
        <label className="toggle">
          <input type="checkbox" checked={plain} onChange={(event) => setPlain(event.target.checked)} />
          {t.work.plainText}
        </label>
      }
      aside={<Conversation messages={prompt.messages} plain={plain} />}
      status={choice === null ? t.comparison.undecided : t.comparison.decided}
      actions={
        <button
          type="button"
          className="button primary"
          disabled={choice === null || submit.isPending}
          onClick={send}
        >
          {t.work.submit} <kbd>↵</kbd>
        </button>
      }
    >
      <div className="pair">
        {responses.map((response, index) => (
          <article
            key={response.id}
            className={choice === response.id ? "card chosen" : "card"}
            aria-label={t.ranking.response(index + 1)}
          >
            <header className="card-head">
              <kbd className="card-number">{index + 1}</kbd>
            </header>
            <div className="card-text">
              <Markdown text={response.text} plain={plain} />
            </div>
          </article>
        ))}
      </div>
      <div className="choices-row" role="group" aria-label={t.comparison.question}>
        {ids.map((id, index) => (
          <span key={id}>{option(id, t.comparison.better(index + 1), String(index + 1))}</span>
        ))}
        {option("tie", t.comparison.tie, "=")}
        {option("both_bad", t.comparison.bothBad, "0")}
      </div>
      {settings.ask_rationale && (
        <Field label={t.comparison.rationale} help={t.comparison.rationaleHelp}>
          {(control) => (
            <textarea
              {...control}
              rows={3}
              value={rationale}
              onChange={(event) => change(choice, event.target.value)}
            />
          )}
        </Field>
      )}
      {help && (
        <Dialog title={t.keys.title} onClose={() => setHelp(false)}>
          <dl className="keys">
            {t.keys.comparison.map(([key, meaning]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{meaning}</dd>
              </div>
            ))}
          </dl>
          <label className="toggle">
            <input
              type="checkbox"
              checked={shortcuts.on}
              onChange={(event) => shortcuts.set(event.target.checked)}
            />
            {t.keys.enabled}
          </label>
        </Dialog>
      )}
    </WorkFrame>
  );
}
