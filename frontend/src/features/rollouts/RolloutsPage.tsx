/** What policies have written: in the whole project, or in one run. */
import { useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { BROWSED_ORDERS } from "../../api/rollouts";
import { useRollouts, useRuns } from "../../api/runs";
import type { RolloutSet, Run } from "../../api/types";
import { Conversation } from "../../components/Conversation";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { dateTime, number } from "../../components/format";
import { Markdown } from "../../components/Markdown";
import { t } from "../../texts";
import { AllRollouts } from "./AllRollouts";
import { ORDERS, type Order, arranged } from "./arrange";

export function RolloutsPage() {
  const { slug = "" } = useParams();
  const [search, setSearch] = useSearchParams();
  const sampled = useRuns(slug, { kind: "sample", status: "succeeded" });
  const judged = useRuns(slug, { kind: "evaluate", status: "succeeded" });
  const runs = [sampled, judged]
    .flatMap((query) => query.data?.pages.flatMap((page) => page.results) ?? [])
    .toSorted((a, b) => b.created_at.localeCompare(a.created_at));
  const chosen = runs.find((run) => run.id === search.get("run"));
  const order = BROWSED_ORDERS.find((each) => each === search.get("order")) ?? "newest";
  const problem = sampled.error ?? judged.error;
  return (
    <div className="page">
      <h1>{t.rollouts.title}</h1>
      {problem && <ErrorNotice error={problem} />}
      {sampled.isPending && <Loading />}
      {sampled.data && judged.data && runs.length === 0 && <p className="empty">{t.rollouts.empty}</p>}
      {runs.length > 0 && (
        <>
          <label className="inline-field">
            {t.rollouts.from}
            <select
              value={chosen?.id ?? ""}
              onChange={(event) =>
                setSearch(event.target.value === "" ? {} : { run: event.target.value }, { replace: true })
              }
            >
              <option value="">{t.rollouts.allRuns}</option>
              {runs.map((run) => (
                <option key={run.id} value={run.id}>
                  {run.name} · {policiesOf(run)} · {dateTime(run.created_at)}
                </option>
              ))}
            </select>
          </label>
          {chosen ? (
            <Browser key={chosen.id} slug={slug} run={chosen} />
          ) : (
            <AllRollouts
              slug={slug}
              order={order}
              policy={search.get("policy") ?? ""}
              onChange={(change) =>
                setSearch(
                  (before) => {
                    const next = new URLSearchParams(before);
                    for (const [name, value] of Object.entries(change)) {
                      if (value === "") next.delete(name);
                      else next.set(name, value);
                    }
                    return next;
                  },
                  { replace: true },
                )
              }
            />
          )}
        </>
      )}
    </div>
  );
}

function policiesOf(run: Run): string {
  return ["policy", "reference", "baseline"].flatMap((name) => run.inputs[name]?.label ?? []).join(", ");
}

function Browser({ slug, run }: { slug: string; run: Run }) {
  const rollouts = useRollouts(run.id, true);
  const [order, setOrder] = useState<Order>("given");
  const [policy, setPolicy] = useState("");
  const [words, setWords] = useState("");
  const sets = rollouts.data?.pages.flatMap((page) => page.results) ?? [];
  const policies = [...new Set(sets.map((set) => set.policy))];
  const shown = arranged(sets, { order, policy, words });
  return (
    <>
      <div className="row">
        <label className="inline-field">
          {t.rollouts.order}
          <select value={order} onChange={(event) => setOrder(event.target.value as Order)}>
            {ORDERS.map((each) => (
              <option key={each} value={each}>
                {t.rollouts.orders[each]}
              </option>
            ))}
          </select>
        </label>
        {policies.length > 1 && (
          <label className="inline-field">
            {t.rollouts.policy}
            <select value={policy} onChange={(event) => setPolicy(event.target.value)}>
              <option value="">{t.rollouts.anyPolicy}</option>
              {policies.map((each) => (
                <option key={each}>{each}</option>
              ))}
            </select>
          </label>
        )}
        <label className="inline-field">
          {t.rollouts.words}
          <input type="search" value={words} onChange={(event) => setWords(event.target.value)} />
        </label>
        <Link to={`/p/${slug}/runs/${run.id}`}>{t.checkpoints.openRun}</Link>
      </div>
      {rollouts.error && <ErrorNotice error={rollouts.error} onRetry={() => void rollouts.refetch()} />}
      {rollouts.isPending && <Loading />}
      {rollouts.data && shown.length === 0 && <p className="empty">{t.rollouts.none}</p>}
      <ol className="samples">
        {shown.map((set, index) => (
          <SetCard key={`${set.prompt_id}-${set.policy}-${index}`} set={set} />
        ))}
      </ol>
      {rollouts.hasNextPage && (
        <button
          type="button"
          className="button"
          disabled={rollouts.isFetching}
          onClick={() => void rollouts.fetchNextPage()}
        >
          {t.rollouts.more(sets.length)}
        </button>
      )}
    </>
  );
}

function SetCard({ set }: { set: RolloutSet }) {
  return (
    <li className="panel">
      {set.prompt && <Conversation messages={set.prompt} />}
      {set.rollouts.map((rollout, position) => (
        <div key={rollout.index} className="rollout">
          <p className="muted">
            {t.runs.rollout(set.policy, rollout.index + 1, rollout.token_ids.length)}
            {set.scores[position] !== undefined && ` · ${t.runs.score(number(set.scores[position]))}`}
            {rollout.finish_reason === "length" && ` · ${t.rollouts.cut}`}
          </p>
          <Markdown text={rollout.text} />
        </div>
      ))}
    </li>
  );
}
