/** Chat with a checkpoint, or put the same question to two side by side. */
import { useState } from "react";
import { useParams, useSearchParams } from "react-router";
import { useCheckpoints } from "../../api/checkpoints";
import type { Checkpoint, Message } from "../../api/types";
import { useReply } from "../../api/playground";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { t } from "../../texts";
import { Settings, type Sampling, STANDARD, samplingOf } from "./Settings";
import { Side } from "./Side";
import { whole } from "./tokens";

export function PlaygroundPage() {
  const { slug = "" } = useParams();
  const [search, setSearch] = useSearchParams();
  const checkpoints = useCheckpoints(slug);
  const models = checkpoints.data?.filter((each) => each.kind !== "reward_model") ?? [];
  const first = models.find((each) => each.id === search.get("a")) ?? models[0];
  const second = models.find((each) => each.id === search.get("b"));
  return (
    <div className="page broad">
      <h1>{t.playground.title}</h1>
      {checkpoints.isPending && <Loading />}
      {checkpoints.error && (
        <ErrorNotice error={checkpoints.error} onRetry={() => void checkpoints.refetch()} />
      )}
      {checkpoints.data && first === undefined && <p className="empty">{t.playground.noModels}</p>}
      {first && (
        <Chats
          slug={slug}
          models={models}
          first={first}
          second={second}
          onChoose={(side, id) =>
            setSearch(
              (before) => {
                const next = new URLSearchParams(before);
                if (id === "") next.delete(side);
                else next.set(side, id);
                return next;
              },
              { replace: true },
            )
          }
        />
      )}
    </div>
  );
}

interface ChatsProps {
  slug: string;
  models: Checkpoint[];
  first: Checkpoint;
  second: Checkpoint | undefined;
  onChoose: (side: "a" | "b", id: string) => void;
}

/** Both sides hear the same questions; each remembers its own replies. */
function Chats({ slug, models, first, second, onChoose }: ChatsProps) {
  const [system, setSystem] = useState("");
  const [text, setText] = useState("");
  const [sampling, setSampling] = useState<Sampling>(STANDARD);
  const [turns, setTurns] = useState<{ a: Message[]; b: Message[] }>({ a: [], b: [] });
  const add = (side: "a" | "b") => (reply: string) =>
    setTurns((before) => ({ ...before, [side]: [...before[side], { role: "assistant", content: reply }] }));
  const a = useReply(add("a"));
  const b = useReply(add("b"));
  const busy = [a, b].some(({ written }) => ["queued", "loading", "running"].includes(written.status));

  const send = () => {
    if (text.trim() === "" || busy) return;
    const question: Message = { role: "user", content: text.trim() };
    const next = { a: [...turns.a, question], b: [...turns.b, question] };
    setTurns(next);
    setText("");
    const asked = (messages: Message[]) => ({ messages: whole(system, messages), ...samplingOf(sampling) });
    void a.ask(first.id, asked(next.a));
    if (second) void b.ask(second.id, asked(next.b));
  };
  const startOver = () => {
    setTurns({ a: [], b: [] });
    a.clear();
    b.clear();
  };
  return (
    <>
      <div className={second ? "sides two" : "sides"}>
        <Side
          slug={slug}
          label={t.playground.sides.a}
          models={models}
          chosen={first.id}
          turns={turns.a}
          system={system}
          written={a.written}
          onChoose={(id) => onChoose("a", id)}
        />
        {second && (
          <Side
            slug={slug}
            label={t.playground.sides.b}
            models={models}
            chosen={second.id}
            turns={turns.b}
            system={system}
            written={b.written}
            onChoose={(id) => onChoose("b", id)}
          />
        )}
      </div>
      <form
        className="panel stack"
        aria-label={t.playground.ask}
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <label className="field">
          <span>{t.playground.message}</span>
          <textarea
            rows={3}
            dir="auto"
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send();
            }}
          />
        </label>
        <Settings system={system} onSystem={setSystem} sampling={sampling} onSampling={setSampling} />
        <div className="actions">
          {models.length > 1 && (
            <button
              type="button"
              className="button"
              disabled={busy}
              onClick={() =>
                onChoose("b", second ? "" : (models.find((each) => each.id !== first.id)?.id ?? ""))
              }
            >
              {second ? t.playground.one : t.playground.two}
            </button>
          )}
          <button
            type="button"
            className="button"
            disabled={busy || turns.a.length === 0}
            onClick={startOver}
          >
            {t.playground.startOver}
          </button>
          {busy ? (
            <button
              type="button"
              className="button danger"
              onClick={() => {
                a.stop();
                b.stop();
              }}
            >
              {t.playground.stop}
            </button>
          ) : (
            <button type="submit" className="button primary" disabled={text.trim() === ""}>
              {t.playground.send} <kbd>Ctrl ↵</kbd>
            </button>
          )}
        </div>
      </form>
    </>
  );
}
