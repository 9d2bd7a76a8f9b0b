/** Tokens as they can be seen. */
import type { Message, Piece } from "../../api/types";
import { percent } from "../../components/format";
import { spelledOut } from "../../components/invisible";

/** The conversation with its system message, where it has one. */
export function whole(system: string, messages: Message[]): Message[] {
  return system.trim() === "" ? messages : [{ role: "system", content: system.trim() }, ...messages];
}

/** Spaces, line ends and tabs are tokens too, and parts of them; what hides is spelled out. */
export function shownText(text: string): string {
  if (text === "") return "∅";
  return spelledOut(text.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replaceAll(" ", "·"));
}

export function counts(tokens: readonly Piece[]): { content: number; template: number } {
  const content = tokens.filter((token) => token.part === "content").length;
  return { content, template: tokens.length - content };
}

/** A probability; what is too small for its digits is not shown as nothing. */
export function chance(probability: number): string {
  return probability > 0 && probability < 0.0005 ? `< ${percent(0.001)}` : percent(probability);
}

/** Bits of surprise: 0 is certain, 1 a coin. */
export function surprise(logprob: number): string {
  return (-logprob / Math.LN2).toFixed(1);
}
