/** What a demonstration is made of: one reply, or a conversation that the labeler goes on with. */
import type { DemonstrationBody, Message } from "../../api/types";

/** The labeler's turns; the first and the last are the assistant's. */
export type Turns = readonly Pick<Message, "role" | "content">[];

export const ONE_REPLY: Turns = [{ role: "assistant", content: "" }];

/** What a stored draft holds; a draft of another form is an empty one. */
export function draftOf(stored: Record<string, unknown> | null): { turns: Turns; activeMs: number } {
  const active = stored?.["active_ms"];
  return { turns: turnsOf(stored), activeMs: typeof active === "number" && active > 0 ? active : 0 };
}

function turnsOf(stored: Record<string, unknown> | null): Turns {
  const { text, turns } = stored ?? {};
  if (Array.isArray(turns) && turns.length % 2 === 1) {
    const contents = turns.map((turn: unknown) =>
      typeof turn === "object" && turn !== null && "content" in turn ? turn.content : null,
    );
    if (contents.every((content) => typeof content === "string"))
      return contents.map((content, index) => ({ role: roleOf(index), content }));
  }
  return typeof text === "string" ? [{ role: "assistant", content: text }] : ONE_REPLY;
}

function roleOf(index: number): "assistant" | "user" {
  return index % 2 === 0 ? "assistant" : "user";
}

export function changed(turns: Turns, at: number, content: string): Turns {
  return turns.map((turn, index) => (index === at ? { ...turn, content } : turn));
}

/** The user's next words and the assistant's answer to them. */
export function goneOn(turns: Turns): Turns {
  return [...turns, { role: "user", content: "" }, { role: "assistant", content: "" }];
}

export function shortened(turns: Turns): Turns {
  return turns.length > 1 ? turns.slice(0, -2) : turns;
}

export function isComplete(turns: Turns): boolean {
  return turns.every((turn) => turn.content.trim() !== "");
}

export function toSubmission(turns: Turns, activeMs: number): DemonstrationBody {
  const active_ms = Math.round(activeMs);
  const [only] = turns;
  if (turns.length === 1) return { text: only?.content.trim() ?? "", active_ms };
  return { messages: turns.map(({ role, content }) => ({ role, content: content.trim() })), active_ms };
}

/** Handing the model's own words in as one's own is asked about, whatever the white space around them. */
export function isSameText(text: string, policyDraft: string | null): boolean {
  return policyDraft !== null && text.trim() === policyDraft.trim();
}
