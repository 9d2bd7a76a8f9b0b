import { useRef, useState } from "react";
import { t } from "../texts/en";

/** The task went to somebody else. Nothing typed is thrown away: it stays here to copy. */
export function LeaseLost({ kept, onLeave }: { kept: string; onLeave: () => void }) {
  const text = useRef<HTMLTextAreaElement>(null);
  const [copied, setCopied] = useState(false);
  return (
    <section className="page narrow lost" aria-labelledby="lost-title">
      <h1 id="lost-title">{t.lost.title}</h1>
      <p>{t.lost.explain}</p>
      {kept !== "" && (
        <>
          <label htmlFor="kept">{t.lost.kept}</label>
          <textarea ref={text} id="kept" readOnly rows={12} value={kept} />
        </>
      )}
      <div className="actions">
        {kept !== "" && (
          <button
            type="button"
            className="button"
            onClick={() => {
              text.current?.select();
              // The clipboard interface exists on secure origins only; the selection works everywhere.
              if (window.isSecureContext)
                void navigator.clipboard.writeText(kept).then(() => setCopied(true));
            }}
          >
            {copied ? t.common.copied : t.common.copy}
          </button>
        )}
        <button type="button" className="button primary" onClick={onLeave}>
          {t.work.next}
        </button>
      </div>
    </section>
  );
}
