/** A file is sent and looked at first: what it is, what it would come to, what is refused and why. Then it is stored. */
import { useRef, useState } from "react";
import { upload, useCancelImport } from "../../api/imports";
import type { DataImport } from "../../api/types";
import { ErrorNotice } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { bytes } from "../../components/format";
import { ProgressBar } from "../../components/Status";
import { t } from "../../texts";
import { Look } from "./Look";

export function ImportWizard({ slug }: { slug: string }) {
  const [row, setRow] = useState<DataImport | null>(null);
  const [sent, setSent] = useState<number | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [queued, setQueued] = useState(false);
  const cancel = useCancelImport(slug);
  const input = useRef<HTMLInputElement>(null);

  const send = async (file: File) => {
    setProblem(null);
    setQueued(false);
    setSent(0);
    try {
      setRow(await upload(slug, file, setSent));
    } catch (error) {
      setProblem(error);
    } finally {
      setSent(null);
    }
  };
  const startOver = () => {
    setRow(null);
    setProblem(null);
    if (input.current) input.current.value = "";
  };
  return (
    <section className="panel stack" aria-labelledby="import">
      <h2 id="import">{t.projects.import}</h2>
      {problem !== null && <ErrorNotice error={problem} />}
      {queued && (
        <p className="notice notice-good" role="status">
          {t.data.queued}
        </p>
      )}
      {row === null && (
        <Field label={t.projects.file} help={t.projects.fileHelp}>
          {(control) => (
            <input
              {...control}
              ref={input}
              type="file"
              disabled={sent !== null}
              onChange={(event) => {
                const file = event.target.files?.[0];
                if (file) void send(file);
              }}
            />
          )}
        </Field>
      )}
      {sent !== null && <ProgressBar done={sent} total={1} label={t.data.sending} />}
      {row !== null && (
        <>
          <p>
            <strong>{row.name}</strong> <span className="muted">{bytes(row.bytes)}</span>
          </p>
          <Look
            slug={slug}
            id={row.id}
            onStarted={() => {
              startOver();
              setQueued(true);
            }}
            onAnother={() => {
              cancel.mutate(row.id);
              startOver();
            }}
          />
        </>
      )}
    </section>
  );
}
