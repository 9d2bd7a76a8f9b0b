/** Tokens as they can be seen. */
import type { Piece } from "../../api/types";
import { spelledOut } from "../../components/invisible";

/** Spaces, line ends and tabs are tokens too, and parts of them; what hides is spelled out. */
export function shownText(text: string): string {
  if (text === "") return "∅";
  return spelledOut(text.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replaceAll(" ", "·"));
}

export function counts(tokens: readonly Piece[]): { content: number; template: number } {
  const content = tokens.filter((token) => token.part === "content").length;
  return { content, template: tokens.length - content };
}

/** Bits of surprise: 0 is certain, 1 a coin. */
export function surprise(logprob: number): string {
  return (-logprob / Math.LN2).toFixed(1);
}
