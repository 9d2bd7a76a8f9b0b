/** What every labeling task has around it: title, guideline, saving, skipping, and the lost-task screen. */
import { type ReactNode, useState } from "react";
import type { ApiError } from "../api/client";
import type { Lease } from "../api/types";
import type { SavingState } from "../api/draft";
import { useRetrying } from "../api/work";
import { t } from "../texts";
import { Dialog } from "./Dialog";
import { ErrorNotice } from "./ErrorNotice";
import { LeaseLost, endsTask } from "./LeaseLost";
import { Markdown } from "./Markdown";
import { SkipDialog } from "./SkipDialog";
import { StandingNote } from "./StandingNote";
import { SavingNote } from "./Status";

export function WorkFrame(props: {
  lease: Lease;
  title: string;
  saving: SavingState;
  pending: boolean;
  error: ApiError | null;
  /** The work in words; shown when the task is lost. */
  kept: string;
  tools?: ReactNode;
  aside: ReactNode;
  status: ReactNode;
  actions: ReactNode;
  children: ReactNode;
  onSkip: (reason: string, comment: string) => void;
  onLeave: () => void;
  onKeys?: () => void;
}) {
  const { lease, title, saving, pending, error, kept, tools, aside, status, actions, children } = props;
  const [dialog, setDialog] = useState<"guideline" | "skip" | null>(null);
  const retrying = useRetrying();
  const guideline = lease.task.guideline;

  if (error !== null && endsTask(error))
    return <LeaseLost error={error} kept={kept} onLeave={props.onLeave} />;
  return (
    <div className="work">
      <header className="work-head">
        <h1>{title}</h1>
        <SavingNote state={saving} />
        <div className="work-tools">
          {tools}
          {guideline !== null && guideline.text !== "" && (
            <button type="button" className="button small quiet" onClick={() => setDialog("guideline")}>
              {t.work.guideline}
            </button>
          )}
          {props.onKeys && (
            <button type="button" className="button small quiet keys-button" onClick={props.onKeys}>
              {t.keys.button} <kbd>?</kbd>
            </button>
          )}
        </div>
      </header>
      <StandingNote standing={lease.notice} />
      {saving === "lost" && <p className="notice notice-warn">{t.work.holdEnded}</p>}
      <div className="work-body">
        <section className="work-aside" aria-label={t.conversation.label}>
          {aside}
        </section>
        <div className="work-main" inert={pending}>
          {children}
        </div>
      </div>
      <footer className="work-foot">
        {error && <ErrorNotice error={error} />}
        {retrying && (
          <p className="notice notice-warn" role="alert">
            {t.work.waitingForConnection}
          </p>
        )}
        <div className="work-foot-row">
          {lease.revises === undefined ? (
            <button
              type="button"
              className="button quiet"
              disabled={pending}
              onClick={() => setDialog("skip")}
            >
              {t.work.skip}
            </button>
          ) : (
            <button type="button" className="button quiet" disabled={pending} onClick={props.onLeave}>
              {t.common.cancel}
            </button>
          )}
          <span className="work-status" role="status">
            {pending ? t.work.sending : status}
          </span>
          <span className="work-actions">{actions}</span>
        </div>
      </footer>
      {dialog === "guideline" && guideline !== null && (
        <Dialog title={t.work.guidelineTitle(guideline.version)} onClose={() => setDialog(null)} wide>
          <Markdown text={guideline.text} />
        </Dialog>
      )}
      {dialog === "skip" && (
        <SkipDialog
          onClose={() => setDialog(null)}
          onSkip={(reason, comment) => {
            setDialog(null);
            props.onSkip(reason, comment);
          }}
        />
      )}
    </div>
  );
}
