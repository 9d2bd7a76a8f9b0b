/** The loop over time: each round with the steps it has taken, the one it is at, and what comes next. */
import { useState } from "react";
import { Link, useParams } from "react-router";
import { useCheckpoints } from "../../api/checkpoints";
import { useAdvance, useOpenRound, useRounds } from "../../api/rounds";
import type { Round } from "../../api/types";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { dateTime } from "../../components/format";
import { Badge } from "../../components/Status";
import { t } from "../../texts";

const STEPS = [
  "collecting",
  "freezing",
  "fitting",
  "reward_gated",
  "optimizing",
  "policy_gated",
  "sampling",
  "closed",
] as const;
const GATES = ["reward_gated", "policy_gated"];

export function RoundsPage() {
  const { slug = "" } = useParams();
  const rounds = useRounds(slug);
  const open = rounds.data?.some((round) => round.closed_at === null);
  return (
    <div className="page">
      <h1>{t.rounds.title}</h1>
      <p className="muted">{t.rounds.explain}</p>
      {rounds.isPending && <Loading />}
      {rounds.error && <ErrorNotice error={rounds.error} onRetry={() => void rounds.refetch()} />}
      {rounds.data && open !== true && <OpenRound slug={slug} first={rounds.data.length === 0} />}
      <ol className="rounds">
        {rounds.data?.map((round) => (
          <RoundCard key={round.id} slug={slug} round={round} />
        ))}
      </ol>
    </div>
  );
}

function RoundCard({ slug, round }: { slug: string; round: Round }) {
  const advance = useAdvance(slug, round.id);
  const at = STEPS.findIndex((step) => step === round.state);
  const gate = GATES.includes(round.state);
  return (
    <li className="panel">
      <header className="page-head">
        <h2>{t.rounds.one(round.number)}</h2>
        <span className="muted">
          {round.closed_at === null
            ? t.rounds.since(dateTime(round.created_at))
            : t.rounds.span(dateTime(round.created_at), dateTime(round.closed_at))}
        </span>
      </header>
      <p>
        {t.rounds.policy} <Link to={`/p/${slug}/checkpoints/${round.policy.id}`}>{round.policy.name}</Link>
      </p>
      <ol className="steps">
        {STEPS.map((step, index) => (
          <li
            key={step}
            className={index < at ? "done" : index === at ? "now" : undefined}
            aria-current={index === at ? "step" : undefined}
          >
            {t.rounds.steps[step]}
          </li>
        ))}
      </ol>
      {round.closed_at === null && at >= 0 && (
        <p className="muted">{t.rounds.help[STEPS[at] ?? "collecting"]}</p>
      )}
      {round.runs.length > 0 && (
        <ul className="list">
          {round.runs.map((run) => (
            <li key={run.id}>
              <Link to={`/p/${slug}/runs/${run.id}`}>{run.name}</Link>
              <span className="muted">{t.kind(run.kind)}</span>
              <Badge tone={run.status === "failed" ? "bad" : run.status === "succeeded" ? "good" : "busy"}>
                {t.runs.statuses[run.status as keyof typeof t.runs.statuses]}
              </Badge>
            </li>
          ))}
        </ul>
      )}
      {advance.error && <ErrorNotice error={advance.error} />}
      {round.can_advance && (
        <div className="actions">
          {gate && (
            <button
              type="button"
              className="button danger"
              disabled={advance.isPending}
              onClick={() => advance.mutate({ accept: false })}
            >
              {t.rounds.reject}
            </button>
          )}
          <button
            type="button"
            className="button primary"
            disabled={advance.isPending}
            onClick={() => advance.mutate({ accept: true })}
          >
            {gate ? t.rounds.accept : t.rounds.next}
          </button>
        </div>
      )}
    </li>
  );
}

function OpenRound({ slug, first }: { slug: string; first: boolean }) {
  const policies = useCheckpoints(slug).data?.filter((checkpoint) => checkpoint.kind === "policy") ?? [];
  const open = useOpenRound(slug);
  const [policy, setPolicy] = useState("");
  const chosen = policy || (policies[0]?.id ?? "");
  if (policies.length === 0) return <p className="empty">{t.rounds.noPolicy}</p>;
  return (
    <form
      className="panel row"
      aria-label={t.rounds.open}
      onSubmit={(event) => {
        event.preventDefault();
        open.mutate({ policy: chosen });
      }}
    >
      {first && <p>{t.rounds.empty}</p>}
      {open.error && <ErrorNotice error={open.error} />}
      <Field label={t.rounds.policy} error={open.error?.fields["policy"]}>
        {(control) => (
          <select {...control} value={chosen} onChange={(event) => setPolicy(event.target.value)}>
            {policies.map((each) => (
              <option key={each.id} value={each.id}>
                {each.name}
              </option>
            ))}
          </select>
        )}
      </Field>
      <button type="submit" className="button primary" disabled={open.isPending}>
        {t.rounds.open}
      </button>
    </form>
  );
}
