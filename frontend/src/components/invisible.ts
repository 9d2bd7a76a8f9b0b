/**
 * Makes characters visible that can hide or reorder text: bidirectional controls, zero-width characters,
 * tag characters and other controls. Model-written and imported text may carry them on purpose.
 */
import type { Element, ElementContent, Root, RootContent, Text } from "hast";

const HIDDEN =
  // eslint-disable-next-line no-control-regex, no-misleading-character-class -- exactly these are looked for
  /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180E\u200B-\u200F\u2028-\u202E\u2060-\u206F\u3164\uFEFF\uFFA0\uFFF9-\uFFFB\u{E0000}-\u{E007F}]/gu;

const ZERO_WIDTH_JOINER = "\u200D";
const ZERO_WIDTH_NON_JOINER = "\u200C";

export type Piece = { text: string } | { hidden: string };

/** Splits text into what can be shown as it is and the code points that cannot, such as `U+202E`. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (isOrthography(text, match.index, match[0])) continue;
    if (match.index > from) found.push({ text: text.slice(from, match.index) });
    found.push({ hidden: codePoint(match[0]) });
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push({ text: text.slice(from) });
  return found;
}

/** The same as plain text, for addresses and attributes. */
export function spelledOut(text: string): string {
  return pieces(text)
    .map((piece) => ("text" in piece ? piece.text : `⟨${piece.hidden}⟩`))
    .join("");
}

/** Joiners belong to emoji sequences and to the spelling of several scripts; there they stay. */
function isOrthography(text: string, index: number, character: string): boolean {
  if (character !== ZERO_WIDTH_JOINER && character !== ZERO_WIDTH_NON_JOINER) return false;
  const before = text.slice(0, index);
  const after = text.slice(index + 1);
  if (/\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier})?$/u.test(before)) {
    return /^\p{Extended_Pictographic}/u.test(after);
  }
  const joined = /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{M}]$/u;
  return joined.test(before) && /^\p{L}/u.test(after);
}

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Rehype plugin; HTML in the text shows as the characters it is, where sanitizing would drop it unseen. */
export function rehypeRawAsText() {
  return (tree: Root) => rawToText(tree);
}

function rawToText(parent: Root | Element): void {
  for (const [index, child] of parent.children.entries()) {
    if (child.type === "element") rawToText(child);
    if ((child.type as string) === "raw") {
      parent.children[index] = { type: "text", value: (child as unknown as Text).value };
    }
  }
}

/** Rehype plugin; runs after sanitizing, so that the marks keep their class. */
export function rehypeInvisible() {
  return (tree: Root) => visit(tree);
}

function visit(parent: Root | Element): void {
  const children: (RootContent | ElementContent)[] = [];
  for (const child of parent.children) {
    // Formulas hold invisible operators of their own; their sources were looked at before.
    if (child.type === "element" && child.tagName !== "math") visit(child);
    if (child.type === "text") children.push(...marked(child));
    else children.push(child);
  }
  parent.children = children;
}

function marked(node: Text): ElementContent[] {
  return pieces(node.value).map((piece) =>
    "text" in piece
      ? { type: "text", value: piece.text }
      : {
          type: "element",
          tagName: "mark",
          properties: { className: ["hidden-char"], title: piece.hidden },
          children: [{ type: "text", value: piece.hidden }],
        },
  );
}
