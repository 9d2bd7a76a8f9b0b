/** What somebody has answered in a project, newest first; each answer can be opened and, if it is one's own, edited. */
import { Link, useParams, useSearchParams } from "react-router";
import { useAnswers } from "../../api/answers";
import type { StoredAnswer, TaskKind } from "../../api/types";
import { useProgress } from "../../api/work";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { dateTime, spell } from "../../components/format";
import { spelledOut } from "../../components/invisible";
import { Badge } from "../../components/Status";
import { t } from "../../texts";

const KINDS: TaskKind[] = ["ranking", "demonstration", "comparison"];

export function HistoryPage() {
  const { slug = "" } = useParams();
  const [search, setSearch] = useSearchParams();
  const kind = KINDS.find((each) => each === search.get("kind")) ?? "";
  const answers = useAnswers(slug, { mine: true, kind });
  const progress = useProgress(slug);
  const rows = answers.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.history.title}</h1>
        <label className="inline-field">
          {t.history.kind}
          <select
            value={kind}
            onChange={(event) =>
              setSearch(event.target.value === "" ? {} : { kind: event.target.value }, { replace: true })
            }
          >
            <option value="">{t.history.all}</option>
            {KINDS.map((each) => (
              <option key={each} value={each}>
                {t.projects.kinds[each]}
              </option>
            ))}
          </select>
        </label>
      </header>
      {progress.data && (
        <dl className="figures">
          <Figure name={t.history.today} value={progress.data.mine.today.toLocaleString()} />
          <Figure name={t.history.inAll} value={progress.data.mine.total.toLocaleString()} />
          {rows.length > 0 && <Figure name={t.history.typical} value={spell(median(rows) / 1000)} />}
        </dl>
      )}
      {answers.isPending && <Loading />}
      {answers.error && <ErrorNotice error={answers.error} onRetry={() => void answers.refetch()} />}
      {answers.data && rows.length === 0 && <p className="empty">{t.history.empty}</p>}
      {rows.length > 0 && <AnswerList slug={slug} rows={rows} />}
      {answers.hasNextPage && (
        <button type="button" className="button" onClick={() => void answers.fetchNextPage()}>
          {t.common.more}
        </button>
      )}
    </div>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function median(rows: StoredAnswer[]): number {
  const times = rows.map((row) => row.active_ms ?? 0).sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)] ?? 0;
}

function AnswerList({ slug, rows }: { slug: string; rows: StoredAnswer[] }) {
  return (
    <div className="scroll-x">
      <table className="table stacked">
        <thead>
          <tr>
            <th scope="col">{t.history.prompt}</th>
            <th scope="col">{t.history.kind}</th>
            <th scope="col">{t.history.when}</th>
            <th scope="col" className="num">
              {t.history.time}
            </th>
            <th scope="col">{t.history.state}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.id} className={row.newest ? undefined : "replaced"}>
              <th scope="row">
                <Link to={`/p/${slug}/answers/${row.id}`}>
                  <bdi>{spelledOut(row.prompt.last_message) || t.markdown.empty}</bdi>
                </Link>
              </th>
              <td data-label={t.history.kind}>{t.projects.one[row.kind]}</td>
              <td data-label={t.history.when}>{dateTime(row.created_at)}</td>
              <td className="num" data-label={t.history.time}>
                {row.active_ms === null ? "–" : spell(row.active_ms / 1000)}
              </td>
              <td>
                {!row.newest && <Badge tone="quiet">{t.history.replaced}</Badge>}
                {row.newest && row.revision > 1 && (
                  <Badge tone="busy">{t.history.revision(row.revision)}</Badge>
                )}
                {row.late && <Badge tone="bad">{t.history.late}</Badge>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
