/** What the run's process printed; the end first, because that is where it stopped. */
import { useEffect, useRef, useState } from "react";
import { useLog } from "../../api/runs";
import { t } from "../../texts";

/** Lines at the end of the log that are shown without asking. */
const TAIL = 40;

export function Log({ id, live, fallback }: { id: string; live: boolean; fallback: string }) {
  const log = useLog(id, live);
  const [whole, setWhole] = useState(false);
  const area = useRef<HTMLPreElement>(null);
  const follow = useRef(true);
  const text = log.data?.text ? log.data.text : fallback;
  // New lines keep the end in view, unless somebody has scrolled up to read.
  useEffect(() => {
    if (follow.current && area.current) area.current.scrollTop = area.current.scrollHeight;
  }, [text]);
  if (text === "") return null;
  const lines = text.trimEnd().split("\n");
  return (
    <section aria-labelledby="log">
      <h2 id="log">{t.runs.log}</h2>
      {/* eslint-disable jsx-a11y/no-noninteractive-tabindex -- a scrolling area needs the keyboard */}
      <pre
        ref={area}
        className="log"
        tabIndex={0}
        onScroll={(event) => {
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          follow.current = scrollHeight - scrollTop - clientHeight < 24;
        }}
      >
        {(whole ? lines : lines.slice(-TAIL)).join("\n")}
      </pre>
      {!whole && lines.length > TAIL && (
        <button type="button" className="button small" onClick={() => setWhole(true)}>
          {t.runs.wholeLog}
        </button>
      )}
    </section>
  );
}
