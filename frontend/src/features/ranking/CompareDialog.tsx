import { useState } from "react";
import type { ResponseItem } from "../../api/types";
import { Dialog } from "../../components/Dialog";
import { diffWords } from "../../components/diff";
import { spelledOut } from "../../components/invisible";
import { t } from "../../texts";

/** What one response says and another does not, word by word. */
export function CompareDialog({ responses, onClose }: { responses: ResponseItem[]; onClose: () => void }) {
  const [left, setLeft] = useState(0);
  const [right, setRight] = useState(1);
  const choose = (label: string, value: number, onChange: (value: number) => void) => (
    <label className="inline-field">
      {label}
      <select value={value} onChange={(event) => onChange(Number(event.target.value))}>
        {responses.map((response, index) => (
          <option key={response.id} value={index}>
            {t.ranking.response(index + 1)}
          </option>
        ))}
      </select>
    </label>
  );
  const parts = diffWords(responses[left]?.text ?? "", responses[right]?.text ?? "");
  return (
    <Dialog title={t.ranking.compareTitle} onClose={onClose} wide>
      <div className="row">
        {choose(t.ranking.compareFrom, left, setLeft)}
        {choose(t.ranking.compareTo, right, setRight)}
      </div>
      <p className="diff">
        {parts.map((part, index) => {
          const text = spelledOut(part.text);
          if (part.kind === "removed") return <del key={index}>{text}</del>;
          if (part.kind === "added") return <ins key={index}>{text}</ins>;
          return <span key={index}>{text}</span>;
        })}
      </p>
    </Dialog>
  );
}
