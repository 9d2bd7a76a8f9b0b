/** Tasks that were taken out of the queue because people skipped or flagged them: back, or closed for good. */
import { useParams } from "react-router";
import { useChangeTask, useTasks } from "../../api/quality";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { dateTime } from "../../components/format";
import { spelledOut } from "../../components/invisible";
import { t } from "../../texts";

export function ReviewPage() {
  const { slug = "" } = useParams();
  const tasks = useTasks(slug, "halted");
  const change = useChangeTask(slug);
  const rows = tasks.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <div className="page">
      <h1>{t.review.title}</h1>
      <p className="muted">{t.review.explain}</p>
      {tasks.isPending && <Loading />}
      {tasks.error && <ErrorNotice error={tasks.error} onRetry={() => void tasks.refetch()} />}
      {change.error && <ErrorNotice error={change.error} />}
      {tasks.data && rows.length === 0 && <p className="empty">{t.review.empty}</p>}
      <ul className="list">
        {rows.map((task) => (
          <li key={task.id}>
            <bdi>{spelledOut(task.prompt.last_message)}</bdi>
            <span className="muted">
              {t.projects.one[task.kind]} · {dateTime(task.created_at)}
            </span>
            <span className="row">
              <button
                type="button"
                className="button small"
                disabled={change.isPending}
                onClick={() => change.mutate({ id: task.id, state: "open" })}
              >
                {t.review.reopen}
              </button>
              <button
                type="button"
                className="button small danger"
                disabled={change.isPending}
                onClick={() => change.mutate({ id: task.id, state: "closed" })}
              >
                {t.review.close}
              </button>
            </span>
          </li>
        ))}
      </ul>
      {tasks.hasNextPage && (
        <button type="button" className="button" onClick={() => void tasks.fetchNextPage()}>
          {t.common.more}
        </button>
      )}
    </div>
  );
}
