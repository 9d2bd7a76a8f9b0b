/** Items whose order is known: each labeler gets each of them once, and never learns which they were. */
import { useGold, useRetireGold } from "../../api/review";
import { ErrorNotice } from "../../components/ErrorNotice";
import { dateTime } from "../../components/format";
import { spelledOut } from "../../components/invisible";
import { Badge } from "../../components/Status";
import { t } from "../../texts";

export function GoldItems({ slug }: { slug: string }) {
  const gold = useGold(slug);
  const retire = useRetireGold(slug);
  const rows = gold.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <section className="panel" aria-labelledby="gold">
      <h2 id="gold">{t.gold.title}</h2>
      <p className="help">{t.gold.explain}</p>
      {gold.error && <ErrorNotice error={gold.error} onRetry={() => void gold.refetch()} />}
      {retire.error && <ErrorNotice error={retire.error} />}
      {gold.data && rows.length === 0 && <p className="empty">{t.gold.empty}</p>}
      <ul className="list">
        {rows.map((row) => (
          <li key={row.id}>
            <bdi>{spelledOut(row.prompt.last_message)}</bdi>
            <span className="muted">
              {row.created_by} · {dateTime(row.created_at)}
              {row.reason !== "" && ` · ${spelledOut(row.reason)}`}
            </span>
            {row.retired_at === null ? (
              <button
                type="button"
                className="button small"
                disabled={retire.isPending}
                onClick={() => retire.mutate(row.id)}
              >
                {t.gold.retire}
              </button>
            ) : (
              <Badge tone="quiet">{t.gold.retired}</Badge>
            )}
          </li>
        ))}
      </ul>
      {gold.hasNextPage && (
        <button type="button" className="button" onClick={() => void gold.fetchNextPage()}>
          {t.common.more}
        </button>
      )}
    </section>
  );
}
