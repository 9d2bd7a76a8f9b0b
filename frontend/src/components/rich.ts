/**
 * Formulas and highlighted code, in a file of its own that only texts with either of them load.
 *
 * Formulas become MathML, which browsers draw themselves: no fonts, no inline styles. KaTeX trusts nothing:
 * no links, no HTML, bounded expansion.
 */
import rehypeHighlight from "rehype-highlight";
import rehypeKatex from "rehype-katex";
import remarkMath from "remark-math";

export const remarkRich = [remarkMath];

export const rehypeRich = [
  [rehypeKatex, { output: "mathml", trust: false, strict: "ignore", maxExpand: 200, maxSize: 20 }],
  [rehypeHighlight, { detect: false }],
] as const;
