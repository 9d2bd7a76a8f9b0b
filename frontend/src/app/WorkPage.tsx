/** One task after another: shows the next as soon as the last is stored, and picks its screen by kind. */
import { useEffect, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import type { Answer, TaskKind } from "../api/types";
import { useWork } from "../api/next";
import { ErrorNotice, Loading } from "../components/ErrorNotice";
import { t } from "../texts";
import { rememberProject } from "./lastProject";
import { SCREENS } from "./screens";

export function WorkPage() {
  const { slug = "" } = useParams();
  const [search] = useSearchParams();
  const kinds = search.getAll("kind").filter((kind): kind is TaskKind => kind in SCREENS);
  const { lease, loading, error, proceed } = useWork(slug, kinds);
  const [last, setLast] = useState<{ note: string; number: number } | null>(null);
  useEffect(() => rememberProject(slug), [slug]);

  const goOn = (note: string | null) => {
    setLast((before) => (note === null ? null : { note, number: (before?.number ?? 0) + 1 }));
    proceed();
  };
  const onAnswered = (answer: Answer) => goOn(answer.late ? t.work.storedLate : t.work.stored[answer.kind]);

  const Screen = lease && SCREENS[lease.task.kind];
  return (
    <>
      {last !== null && (
        <p className="toast" role="status" key={last.number}>
          {last.note}
        </p>
      )}
      {error ? (
        <div className="page narrow">
          <ErrorNotice error={error} onRetry={proceed} />
        </div>
      ) : loading ? (
        <Loading what={t.work.getting} />
      ) : Screen ? (
        <Screen
          key={lease.token}
          lease={lease}
          onAnswered={onAnswered}
          onSkipped={() => goOn(t.work.skipped)}
          onLeave={() => goOn(null)}
        />
      ) : (
        <section className="page narrow nothing-waits">
          <h1>{t.work.nothingTitle}</h1>
          <p>{t.work.nothing}</p>
          <div className="actions">
            <button type="button" className="button" onClick={proceed}>
              {t.work.askAgain}
            </button>
            <Link className="button primary" to="/">
              {t.work.backHome}
            </Link>
          </div>
        </section>
      )}
    </>
  );
}
