/** Three steps for somebody who is here for the first time. */
import { useState } from "react";
import { Dialog } from "../../components/Dialog";
import { t } from "../../texts";

const SETTING = "rankloop.tour";

export function Tour() {
  const [step, setStep] = useState(() => (localStorage.getItem(SETTING) === null ? 0 : null));
  const now = step === null ? undefined : t.tour.steps[step];
  if (step === null || now === undefined) return null;
  const last = step === t.tour.steps.length - 1;
  const end = () => {
    localStorage.setItem(SETTING, "seen");
    setStep(null);
  };
  return (
    <Dialog title={now.title} onClose={end}>
      <p>{now.text}</p>
      <p className="muted">{t.tour.at(step + 1, t.tour.steps.length)}</p>
      <div className="actions">
        {step > 0 && (
          <button type="button" className="button" onClick={() => setStep(step - 1)}>
            {t.tour.back}
          </button>
        )}
        <button
          type="button"
          data-first-focus
          className="button primary"
          onClick={() => (last ? end() : setStep(step + 1))}
        >
          {last ? t.tour.done : t.tour.next}
        </button>
      </div>
    </Dialog>
  );
}
