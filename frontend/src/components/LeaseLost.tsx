import { useRef, useState } from "react";
import type { ApiError } from "../api/client";
import { t } from "../texts";

/** Refusals after which nothing more can be done about this task. */
const FINAL = ["lease_lost", "lease_unknown", "already_answered", "already_skipped", "project_closed"];

export function endsTask(error: ApiError): boolean {
  return FINAL.includes(error.code);
}

/** The task is out of one's hands. Nothing typed is thrown away: it stays here to copy. */
export function LeaseLost({ error, kept, onLeave }: { error: ApiError; kept: string; onLeave: () => void }) {
  const text = useRef<HTMLTextAreaElement>(null);
  const [copied, setCopied] = useState(false);
  return (
    <section className="page narrow lost" aria-labelledby="lost-title">
      <h1 id="lost-title">{error.code === "lease_lost" ? t.lost.title : t.lost.otherTitle}</h1>
      <p>{error.code === "lease_lost" ? t.lost.explain : error.detail}</p>
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
