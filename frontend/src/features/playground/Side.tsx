/** One checkpoint's conversation, and the reply that it is writing. */
import { Link } from "react-router";
import type { Written } from "../../api/playground";
import type { Checkpoint, Message } from "../../api/types";
import { Conversation } from "../../components/Conversation";
import { ErrorNotice } from "../../components/ErrorNotice";
import { spelledOut } from "../../components/invisible";
import { t } from "../../texts";
import { whole } from "./tokens";

export function Side(props: {
  slug: string;
  label: string;
  models: Checkpoint[];
  chosen: string;
  turns: Message[];
  system: string;
  written: Written;
  onChoose: (id: string) => void;
}) {
  const { slug, label, models, chosen, turns, system, written, onChoose } = props;
  const busy = ["queued", "loading", "running"].includes(written.status);
  const text = written.tokens.map((token) => token.text).join("");
  return (
    <section className="panel side" aria-label={label}>
      <header className="page-head">
        <label className="inline-field">
          <span className="visually-hidden">{label}</span>
          <select value={chosen} disabled={busy} onChange={(event) => onChoose(event.target.value)}>
            {models.map((model) => (
              <option key={model.id} value={model.id}>
                {model.name}
              </option>
            ))}
          </select>
        </label>
        {turns.length > 0 && !busy && (
          <Link
            to={`/p/${slug}/tokens?model=${chosen}`}
            state={{ messages: whole(system, turns).map(({ role, content }) => ({ role, content })) }}
          >
            {t.playground.asTokens}
          </Link>
        )}
      </header>
      {turns.length === 0 && <p className="muted">{t.playground.empty}</p>}
      <Conversation messages={turns} />
      {busy && (
        <div className="turn turn-assistant" aria-live="polite" aria-busy="true">
          <span className="turn-role">
            {t.conversation.roles.assistant} · {t.playground.statuses[written.status as "queued"]}
          </span>
          <p className="plain-text">{spelledOut(text)}▍</p>
        </div>
      )}
      {written.status === "cancelled" && <p className="muted">{t.playground.stopped}</p>}
      {written.finish === "length" && <p className="muted">{t.rollouts.cut}</p>}
      {written.error !== null &&
        ("sentence" in written.error ? (
          <p className="notice notice-bad" role="alert">
            {written.error.sentence} <span className="code">{written.error.code}</span>
          </p>
        ) : (
          <ErrorNotice error={written.error} />
        ))}
      {!busy && written.seed !== null && (
        <p className="help">{t.playground.facts(written.tokens.length, written.seed, perToken(written))}</p>
      )}
    </section>
  );
}

/** Mean log-probability a token, in nats. */
function perToken({ tokens }: Written): string {
  if (tokens.length === 0) return "–";
  const sum = tokens.reduce((total, token) => total + token.logprob, 0);
  return (sum / tokens.length).toFixed(2);
}
