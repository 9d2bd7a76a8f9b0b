import { useId, useState } from "react";
import { t } from "../../texts";

const SETTING = "rankloop.smoothing";

/** The weight of the past in the charts, remembered in this browser. */
export function useSmoothing() {
  const [weight, setWeight] = useState(() => {
    const stored = Number(localStorage.getItem(SETTING));
    return stored > 0 && stored < 1 ? stored : 0;
  });
  const set = (value: number) => {
    localStorage.setItem(SETTING, String(value));
    setWeight(value);
  };
  return [weight, set] as const;
}

export function Smoothing({ weight, onWeight }: { weight: number; onWeight: (weight: number) => void }) {
  const id = useId();
  return (
    <span className="inline-field">
      <label htmlFor={id}>{t.runs.smoothing}</label>
      <input
        id={id}
        type="range"
        min={0}
        max={0.98}
        step={0.02}
        value={weight}
        onChange={(event) => onWeight(Number(event.target.value))}
      />
      <output htmlFor={id} className="num">
        {weight === 0 ? t.runs.smoothingOff : weight.toFixed(2)}
      </output>
    </span>
  );
}
