/** Items that several people ranked: those on which they differ most come first. */
import { useState } from "react";
import { type ItemOrder, useItemAgreement } from "../../api/quality";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { number, percent } from "../../components/format";
import { spelledOut } from "../../components/invisible";
import { Badge } from "../../components/Status";
import { t } from "../../texts";

const ORDERS: ItemOrder[] = ["agreement", "ambiguous", "newest"];

export function Items({ slug, measuredAt }: { slug: string; measuredAt: string | null }) {
  const [order, setOrder] = useState<ItemOrder>("agreement");
  const items = useItemAgreement(slug, order, measuredAt);
  const rows = items.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <section className="panel" aria-labelledby="items">
      <header className="page-head">
        <h2 id="items">{t.quality.byItem}</h2>
        <label className="inline-field">
          {t.rollouts.order}
          <select value={order} onChange={(event) => setOrder(event.target.value as ItemOrder)}>
            {ORDERS.map((each) => (
              <option key={each} value={each}>
                {t.quality.orders[each]}
              </option>
            ))}
          </select>
        </label>
      </header>
      {items.isPending && <Loading />}
      {items.error && <ErrorNotice error={items.error} onRetry={() => void items.refetch()} />}
      {items.data && rows.length === 0 && <p className="empty">{t.quality.noItems}</p>}
      {rows.length > 0 && (
        <div className="scroll-x">
          <table className="table wide">
            <thead>
              <tr>
                <th scope="col">{t.history.prompt}</th>
                <th scope="col" className="num">
                  {t.quality.rankings}
                </th>
                <th scope="col" className="num">
                  {t.quality.pairwise}
                </th>
                <th scope="col" className="num">
                  {t.quality.tau}
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.rollout_set}>
                  <th scope="row">
                    <bdi>{spelledOut(row.prompt.last_message)}</bdi>
                    {row.ambiguous && <Badge tone="bad">{t.quality.ambiguous}</Badge>}
                  </th>
                  <td className="num">{number(row.rankings)}</td>
                  <td className="num">
                    {row.pairwise_agreement === null ? "–" : percent(row.pairwise_agreement)}
                  </td>
                  <td className="num">{number(row.kendall_tau_b)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {items.hasNextPage && (
        <button type="button" className="button" onClick={() => void items.fetchNextPage()}>
          {t.common.more}
        </button>
      )}
    </section>
  );
}
