/** What a run wrote: samples on the way, grouped by step, and the rollouts it made. */
import { useState } from "react";
import { useRollouts, useSamples } from "../../api/runs";
import { Conversation } from "../../components/Conversation";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { number } from "../../components/format";
import { Markdown } from "../../components/Markdown";
import { t } from "../../texts";

/** The newest step first; a step back shows how the same prompts were answered before. */
export function Samples({ id, live }: { id: string; live: boolean }) {
  const samples = useSamples(id, live);
  const rows = samples.data?.rows ?? [];
  const steps = [...new Set(rows.map((row) => row.step))].sort((a, b) => a - b);
  const [chosen, setChosen] = useState<number | null>(null);
  if (steps.length === 0) return null;
  const at = chosen === null || !steps.includes(chosen) ? steps.length - 1 : steps.indexOf(chosen);
  const step = steps[at] ?? 0;
  return (
    <section aria-labelledby="samples">
      <header className="page-head">
        <h2 id="samples">{t.runs.samples}</h2>
        <span className="inline-field">
          <button
            type="button"
            className="button small"
            disabled={at === 0}
            onClick={() => setChosen(steps[at - 1] ?? null)}
          >
            {t.runs.stepBack}
          </button>
          <input
            type="range"
            aria-label={t.runs.samplesOfStep}
            aria-valuetext={t.runs.sampleAt(step)}
            min={0}
            max={steps.length - 1}
            value={at}
            onChange={(event) => setChosen(steps[Number(event.target.value)] ?? null)}
          />
          <button
            type="button"
            className="button small"
            disabled={at === steps.length - 1}
            onClick={() => setChosen(steps[at + 1] ?? null)}
          >
            {t.runs.stepOn}
          </button>
          <output className="num">{t.runs.sampleAt(step)}</output>
        </span>
      </header>
      <ol className="samples">
        {rows
          .filter((row) => row.step === step)
          .map((row) => (
            <li key={row.seq} className="panel">
              {row.prompt !== "" && (
                <div className="muted">
                  <Markdown text={row.prompt} plain />
                </div>
              )}
              <Markdown text={row.text} plain />
            </li>
          ))}
      </ol>
    </section>
  );
}

export function Rollouts({ id }: { id: string }) {
  const [open, setOpen] = useState(false);
  const rollouts = useRollouts(id, open);
  const sets = rollouts.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <details className="panel" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t.runs.rollouts}</summary>
      {rollouts.isFetching && <Loading />}
      {rollouts.error && <ErrorNotice error={rollouts.error} onRetry={() => void rollouts.refetch()} />}
      {rollouts.data && sets.length === 0 && <p className="muted">{t.runs.noRollouts}</p>}
      <ol className="samples">
        {sets.map((set, index) => (
          <li key={`${set.prompt_id}-${set.policy}-${index}`} className="rollout-set">
            {set.prompt && <Conversation messages={set.prompt} plain />}
            {set.rollouts.map((rollout, position) => (
              <div key={rollout.index} className="rollout">
                <p className="muted">
                  {t.runs.rollout(set.policy, rollout.index + 1, rollout.token_ids.length)}
                  {set.scores[position] !== undefined && ` · ${t.runs.score(number(set.scores[position]))}`}
                </p>
                <Markdown text={rollout.text} plain />
              </div>
            ))}
          </li>
        ))}
      </ol>
      {rollouts.hasNextPage && (
        <button type="button" className="button" onClick={() => void rollouts.fetchNextPage()}>
          {t.common.more}
        </button>
      )}
    </details>
  );
}
