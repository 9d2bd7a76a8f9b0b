/** Rollout sets of the whole project: the newest, by reward, or where people and the reward model differ most. */
import { Link } from "react-router";
import { BROWSED_ORDERS, type BrowsedOrder, useBrowsed, usePolicies } from "../../api/rollouts";
import type { BrowsedResponse, BrowsedSet } from "../../api/types";
import { Conversation } from "../../components/Conversation";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { dateTime, number, percent } from "../../components/format";
import { Markdown } from "../../components/Markdown";
import { t } from "../../texts";

interface Props {
  slug: string;
  order: BrowsedOrder;
  /** Empty: every policy. */
  policy: string;
  onChange: (change: { order?: BrowsedOrder; policy?: string }) => void;
}

export function AllRollouts({ slug, order, policy, onChange }: Props) {
  const policies = usePolicies(slug);
  const browsed = useBrowsed(slug, order, policy);
  const sets = browsed.data?.pages.flatMap((page) => page.results) ?? [];
  const problem = policies.error ?? browsed.error;
  return (
    <>
      <div className="row">
        <label className="inline-field">
          {t.rollouts.order}
          <select value={order} onChange={(event) => onChange({ order: event.target.value as BrowsedOrder })}>
            {BROWSED_ORDERS.map((each) => (
              <option key={each} value={each}>
                {t.rollouts.allOrders[each]}
              </option>
            ))}
          </select>
        </label>
        <label className="inline-field">
          {t.rollouts.policy}
          <select value={policy} onChange={(event) => onChange({ policy: event.target.value })}>
            <option value="">{t.rollouts.anyPolicy}</option>
            {(policies.data ?? []).map((each) => (
              <option key={each.id} value={each.id}>
                {each.name}
              </option>
            ))}
          </select>
        </label>
      </div>
      <p className="muted">{t.rollouts.explain[order]}</p>
      {problem && <ErrorNotice error={problem} onRetry={() => void browsed.refetch()} />}
      {browsed.isPending && <Loading />}
      {browsed.data && sets.length === 0 && <p className="empty">{t.rollouts.noneOf[order]}</p>}
      <ol className="samples">
        {sets.map((set) => (
          <BrowsedCard key={set.id} slug={slug} set={set} />
        ))}
      </ol>
      {browsed.hasNextPage && (
        <button
          type="button"
          className="button"
          disabled={browsed.isFetching}
          onClick={() => void browsed.fetchNextPage()}
        >
          {t.rollouts.more(sets.length)}
        </button>
      )}
    </>
  );
}

function BrowsedCard({ slug, set }: { slug: string; set: BrowsedSet }) {
  return (
    <li className="panel">
      <p className="row muted">
        {set.run !== null ? (
          <Link to={`/p/${slug}/runs/${set.run}`}>{set.policy?.name ?? t.rollouts.several}</Link>
        ) : (
          <span>{set.policy?.name ?? t.rollouts.several}</span>
        )}
        <span>{dateTime(set.created_at)}</span>
        <span>{t.rollouts.rankings(set.rankings)}</span>
        {set.disagreement !== null && <strong>{t.rollouts.disagreement(percent(set.disagreement))}</strong>}
      </p>
      <Conversation messages={set.prompt.messages} />
      {set.responses.map((response, index) => (
        <div key={response.id} className="rollout">
          <p className="muted">{factsOf(response, index, set.policy === null)}</p>
          <Markdown text={response.text} />
        </div>
      ))}
    </li>
  );
}

/** What is known of one response, in a line. */
function factsOf(response: BrowsedResponse, index: number, named: boolean): string {
  return [
    t.ranking.response(index + 1),
    named && response.policy,
    response.tokens !== null && t.rollouts.tokens(response.tokens),
    response.score !== null && t.runs.score(number(response.score)),
    response.mean_place !== null && t.rollouts.place(number(response.mean_place)),
    response.finish_reason === "length" && t.rollouts.cut,
  ]
    .filter(Boolean)
    .join(" · ");
}
