import type { TaskSettings } from "../../api/types";
import { Field } from "../../components/Field";
import { t } from "../../texts";
import type { Notes } from "./ranking";

/** Why, and how sure: asked once for the whole ranking, where the project asks. */
export function NotesForm(props: {
  settings: TaskSettings;
  notes: Notes;
  onNotes: (change: (notes: Notes) => Notes) => void;
}) {
  const { settings, notes, onNotes } = props;
  return (
    <>
      {settings.ask_rationale && (
        <Field label={t.ranking.rationale} help={t.ranking.rationaleHelp}>
          {(control) => (
            <textarea
              {...control}
              rows={3}
              value={notes.rationale}
              onChange={(event) => {
                const rationale = event.target.value;
                onNotes((before) => ({ ...before, rationale }));
              }}
            />
          )}
        </Field>
      )}
      {settings.ask_confidence && (
        <fieldset className="likert confidence">
          <legend>{t.ranking.confidence}</legend>
          {t.ranking.confidences.map((label, index) => (
            <label key={label}>
              <input
                type="radio"
                name="confidence"
                checked={notes.confidence === index + 1}
                onChange={() => onNotes((before) => ({ ...before, confidence: index + 1 }))}
              />
              <span>{label}</span>
            </label>
          ))}
        </fieldset>
      )}
    </>
  );
}
