/** Items that wait for a reviewer: because people skipped or flagged them, or do not agree. */
import { Link, useParams, useSearchParams } from "react-router";
import { useCases } from "../../api/review";
import type { Case } from "../../api/types";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { dateTime, percent } from "../../components/format";
import { spelledOut } from "../../components/invisible";
import { Badge } from "../../components/Status";
import { t } from "../../texts";
import { GoldItems } from "./GoldItems";

const STATES: Case["state"][] = ["open", "settled", "reopened", "discarded", "left"];

export function ReviewPage() {
  const { slug = "" } = useParams();
  const [search, setSearch] = useSearchParams();
  const state = STATES.find((each) => each === search.get("state")) ?? "open";
  const cases = useCases(slug, state);
  const rows = cases.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.review.title}</h1>
        <label className="inline-field">
          {t.review.state}
          <select
            value={state}
            onChange={(event) => setSearch({ state: event.target.value }, { replace: true })}
          >
            {STATES.map((each) => (
              <option key={each} value={each}>
                {t.review.states[each]}
              </option>
            ))}
          </select>
        </label>
      </header>
      <p className="muted">{t.review.explain}</p>
      {cases.isPending && <Loading />}
      {cases.error && <ErrorNotice error={cases.error} onRetry={() => void cases.refetch()} />}
      {cases.data && rows.length === 0 && <p className="empty">{t.review.empty}</p>}
      {rows.length > 0 && (
        <ul className="list">
          {rows.map((row) => (
            <li key={row.id}>
              <Link to={`/p/${slug}/review/${row.id}`}>
                <bdi>{spelledOut(row.task.prompt.last_message) || t.markdown.empty}</bdi>
              </Link>
              <span className="muted">
                {t.projects.one[row.task.kind]} · {dateTime(row.opened_at)}
                {row.agreement !== null && ` · ${t.review.agree(percent(row.agreement))}`}
              </span>
              <Badge tone={row.state === "open" ? "busy" : "quiet"}>{t.review.why[row.why]}</Badge>
            </li>
          ))}
        </ul>
      )}
      {cases.hasNextPage && (
        <button type="button" className="button" onClick={() => void cases.fetchNextPage()}>
          {t.common.more}
        </button>
      )}
      <GoldItems slug={slug} />
    </div>
  );
}
