/** One task after another: fetches the next as soon as the last is stored, and picks its screen by kind. */
import { useEffect, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import type { Answer, TaskKind } from "../api/types";
import { useNextTask } from "../api/work";
import { ErrorNotice, Loading } from "../components/ErrorNotice";
import { t } from "../texts";
import { rememberProject } from "./lastProject";
import { SCREENS } from "./screens";

export function WorkPage() {
  const { slug = "" } = useParams();
  const [search] = useSearchParams();
  const kinds = search.getAll("kind").filter((kind): kind is TaskKind => kind in SCREENS);
  const next = useNextTask(slug, kinds);
  const [last, setLast] = useState<string | null>(null);
  useEffect(() => rememberProject(slug), [slug]);

  const proceed = (note: string | null) => {
    setLast(note);
    void next.refetch();
  };
  const onAnswered = (answer: Answer) =>
    proceed(answer.late ? t.work.storedLate : t.work.stored[answer.kind]);

  const lease = next.data;
  const Screen = lease && SCREENS[lease.task.kind];
  return (
    <>
      {last !== null && (
        <p className="toast" role="status" key={`${last}-${next.dataUpdatedAt}`}>
          {last}
        </p>
      )}
      {next.error ? (
        <div className="page narrow">
          <ErrorNotice error={next.error} onRetry={() => void next.refetch()} />
        </div>
      ) : next.isPending || next.isFetching ? (
        <Loading what={t.work.getting} />
      ) : Screen ? (
        <Screen
          key={lease.token}
          lease={lease}
          onAnswered={onAnswered}
          onSkipped={() => proceed(t.work.skipped)}
          onLeave={() => proceed(null)}
        />
      ) : (
        <section className="page narrow nothing-waits">
          <h1>{t.work.nothingTitle}</h1>
          <p>{t.work.nothing}</p>
          <div className="actions">
            <button type="button" className="button" onClick={() => void next.refetch()}>
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
