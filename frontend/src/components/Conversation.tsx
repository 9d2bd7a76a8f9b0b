/** A prompt: the whole conversation, system and tool turns included. */
import type { Message } from "../api/types";
import { t } from "../texts";
import { spelledOut } from "./invisible";
import { Markdown } from "./Markdown";

type Turn = Pick<Message, "role" | "content"> & { name?: string };

export function Conversation(props: { messages: readonly Turn[]; plain?: boolean }) {
  const { messages, plain = false } = props;
  return (
    <ol className="conversation" aria-label={t.conversation.label}>
      {messages.map((message, index) => (
        <li key={index} className={`turn turn-${message.role}`}>
          <span className="turn-role">
            {t.conversation.roles[message.role]}
            {message.name ? ` · ${spelledOut(message.name)}` : ""}
          </span>
          <Markdown text={message.content} plain={plain} />
        </li>
      ))}
    </ol>
  );
}
