/** A conversation, turn by turn, to type or to paste. */
import type { Message } from "../../api/types";
import { t } from "../../texts";

const ROLES: Message["role"][] = ["system", "user", "assistant", "tool"];

export function MessagesForm(props: {
  messages: Message[];
  onMessages: (messages: Message[]) => void;
  pending: boolean;
  onAsk: () => void;
}) {
  const { messages, onMessages, pending, onAsk } = props;
  const change = (index: number, change: Partial<Message>) =>
    onMessages(messages.map((message, at) => (at === index ? { ...message, ...change } : message)));
  return (
    <form
      className="panel stack"
      aria-label={t.conversation.label}
      onSubmit={(event) => {
        event.preventDefault();
        onAsk();
      }}
    >
      {messages.map((message, index) => (
        <div key={index} className="turn-form">
          <select
            aria-label={t.tokens.roleOf(index + 1)}
            value={message.role}
            onChange={(event) => change(index, { role: event.target.value as Message["role"] })}
          >
            {ROLES.map((role) => (
              <option key={role} value={role}>
                {t.conversation.roles[role]}
              </option>
            ))}
          </select>
          <textarea
            aria-label={t.tokens.turn(index + 1)}
            rows={2}
            dir="auto"
            value={message.content}
            onChange={(event) => change(index, { content: event.target.value })}
          />
          <button
            type="button"
            className="button small quiet"
            disabled={messages.length === 1}
            aria-label={t.tokens.removeTurn(index + 1)}
            onClick={() => onMessages(messages.filter((_, at) => at !== index))}
          >
            {t.projects.remove}
          </button>
        </div>
      ))}
      <div className="actions">
        <button
          type="button"
          className="button"
          onClick={() =>
            onMessages([
              ...messages,
              { role: messages.at(-1)?.role === "user" ? "assistant" : "user", content: "" },
            ])
          }
        >
          {t.tokens.addTurn}
        </button>
        <button
          type="submit"
          className="button primary"
          disabled={pending || messages.every((message) => message.content === "")}
        >
          {pending ? t.tokens.working : t.tokens.show}
        </button>
      </div>
    </form>
  );
}
