/** A conversation as the model sees it: its template's tokens included, and what it thinks comes next anywhere. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation, useParams, useSearchParams } from "react-router";
import { useCheckpoints } from "../../api/checkpoints";
import { inspect } from "../../api/playground";
import type { Alternative, Inspection, Message, Piece } from "../../api/types";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { t } from "../../texts";
import { MessagesForm } from "./MessagesForm";
import { chance, counts, shownText, surprise } from "./tokens";

const START: Message[] = [{ role: "user", content: "" }];

export function TokensPage() {
  const { slug = "" } = useParams();
  const [search, setSearch] = useSearchParams();
  const given = (useLocation().state as { messages?: Message[] } | null)?.messages;
  const checkpoints = useCheckpoints(slug);
  const models = checkpoints.data?.filter((each) => each.kind !== "reward_model") ?? [];
  const model = models.find((each) => each.id === search.get("model")) ?? models[0];
  const [messages, setMessages] = useState<Message[]>(given ?? START);
  const [asked, setAsked] = useState<Message[] | null>(given ?? null);
  const [position, setPosition] = useState(-1);
  const query = useQuery({
    queryKey: ["inspection", model?.id, asked, position],
    queryFn: ({ signal }) => inspect(model?.id ?? "", asked ?? [], position, signal),
    enabled: model !== undefined && asked !== null,
    placeholderData: (before) => before,
    staleTime: Infinity,
  });
  return (
    <div className="page">
      <h1>{t.tokens.title}</h1>
      <p className="muted">{t.tokens.explain}</p>
      {checkpoints.error && <ErrorNotice error={checkpoints.error} />}
      {checkpoints.data && model === undefined && <p className="empty">{t.playground.noModels}</p>}
      {model && (
        <label className="inline-field">
          {t.runs.checkpoint}
          <select
            value={model.id}
            onChange={(event) => setSearch({ model: event.target.value }, { replace: true })}
          >
            {models.map((each) => (
              <option key={each.id} value={each.id}>
                {each.name}
              </option>
            ))}
          </select>
        </label>
      )}
      <MessagesForm
        messages={messages}
        onMessages={setMessages}
        pending={query.isFetching}
        onAsk={() => {
          setPosition(-1);
          setAsked(messages);
        }}
      />
      {query.error && <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />}
      {asked !== null && query.isPending && <Loading what={t.tokens.working} />}
      {query.data?.error && (
        <p className="notice notice-bad" role="alert">
          {query.data.error.sentence} <span className="code">{query.data.error.code}</span>
        </p>
      )}
      {query.data && query.data.tokens.length > 0 && (
        <Tokens inspection={query.data} waiting={query.isFetching} onPosition={setPosition} />
      )}
    </div>
  );
}

function Tokens(props: { inspection: Inspection; waiting: boolean; onPosition: (at: number) => void }) {
  const { inspection, waiting, onPosition } = props;
  const [ids, setIds] = useState(false);
  const at = inspection.position ?? inspection.tokens.length - 1;
  const found = counts(inspection.tokens);
  return (
    <>
      <section className="panel" aria-labelledby="tokens">
        <header className="page-head">
          <h2 id="tokens">{t.tokens.count(inspection.tokens.length)}</h2>
          <label className="toggle">
            <input type="checkbox" checked={ids} onChange={(event) => setIds(event.target.checked)} />
            {t.tokens.ids}
          </label>
        </header>
        <p className="muted">{t.tokens.parts(found.content, found.template)}</p>
        <ol className={waiting ? "tokens waiting" : "tokens"} aria-label={t.tokens.list}>
          {inspection.tokens.map((piece, index) => (
            <li key={index}>
              <button
                type="button"
                className={[
                  "token",
                  `token-${piece.role}`,
                  piece.part === "template" ? "template" : "",
                  index === at ? "at" : "",
                ]
                  .filter(Boolean)
                  .join(" ")}
                aria-pressed={index === at}
                title={titleOf(piece)}
                onClick={() => onPosition(index)}
              >
                {shownText(piece.text)}
                {ids && <span className="token-id">{piece.id}</span>}
              </button>
              {piece.text.includes("\n") && <br />}
            </li>
          ))}
        </ol>
        <ul className="legend">
          {(["system", "user", "assistant", "tool"] as const).map((role) => (
            <li key={role}>
              <span className={`token token-${role}`}>{t.conversation.roles[role]}</span>
            </li>
          ))}
          <li>
            <span className="token template">{t.tokens.template}</span>
          </li>
        </ul>
      </section>
      <section className="panel" aria-labelledby="next">
        <h2 id="next">{t.tokens.next(shownText(inspection.tokens[at]?.text ?? ""))}</h2>
        <Chances chances={inspection.next_token} />
      </section>
    </>
  );
}

function Chances({ chances }: { chances: Alternative[] }) {
  return (
    <ol className="chances">
      {chances.map((each) => (
        <li key={each.id}>
          <span className="token">{shownText(each.text)}</span>
          <span className="chance" aria-hidden="true">
            <span style={{ width: percentWidth(each.probability) }} />
          </span>
          <span className="num">{chance(each.probability)}</span>
          <span className="code muted">{each.id}</span>
        </li>
      ))}
    </ol>
  );
}

function percentWidth(share: number): string {
  return `${Math.max(share * 100, 0.5)}%`;
}

function titleOf(piece: Piece): string {
  if (piece.logprob === null) return t.tokens.first(piece.id);
  return t.tokens.about(piece.id, chance(Math.exp(piece.logprob)), piece.rank ?? 0, surprise(piece.logprob));
}
