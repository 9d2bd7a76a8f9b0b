import { useState } from "react";
import { t } from "../texts";
import { Dialog } from "./Dialog";
import { Field } from "./Field";

const REASONS = ["unclear_prompt", "not_my_field", "harmful", "broken", "other"] as const;

/** A skip is for good and carries a reason; enough of them halt the task for review. */
export function SkipDialog(props: {
  onClose: () => void;
  onSkip: (reason: string, comment: string) => void;
}) {
  const [reason, setReason] = useState<string | null>(null);
  const [comment, setComment] = useState("");
  return (
    <Dialog title={t.skip.title} onClose={props.onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (reason !== null) props.onSkip(reason, comment.trim());
        }}
      >
        <p>{t.skip.explain}</p>
        <fieldset className="choices">
          <legend className="visually-hidden">{t.skip.title}</legend>
          {REASONS.map((each) => (
            <label key={each}>
              <input type="radio" name="reason" checked={reason === each} onChange={() => setReason(each)} />
              {t.skip.reasons[each]}
            </label>
          ))}
        </fieldset>
        <Field label={t.skip.comment}>
          {(control) => (
            <textarea
              {...control}
              rows={2}
              value={comment}
              onChange={(event) => setComment(event.target.value)}
            />
          )}
        </Field>
        <div className="actions">
          <button type="button" className="button" onClick={props.onClose}>
            {t.common.cancel}
          </button>
          <button type="submit" className="button primary" disabled={reason === null}>
            {t.work.skip}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
