/**
 * Which parts of a text are formulas. Models write `$…$`, `$$…$$`, `\(…\)` and `\[…\]`; people write `$5`.
 *
 * Everything else keeps its dollars, escaped so that they stay dollars, and code is left alone.
 */
import { pieces } from "./invisible";

/** Fenced and indented-by-tick code, then formulas; the first alternative that matches wins. Lengths are bounded: a text of openings must not take for ever. */
const PARTS =
  /(^(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^\2[ \t]*$|$(?![\s\S]))|(`+)(?:(?!\3)[\s\S]){1,2000}?\3)|\\\[([\s\S]{1,2000}?)\\\]|\\\(([\s\S]{1,2000}?)\\\)|\$\$([\s\S]{1,2000}?)\$\$|\$(?=\S)([^$\n]*?[^\s$\\])\$(?!\d)|(\\.)|(\$)/gm;

export function hasFormulas(text: string): boolean {
  return /\$|\\[([]/.test(text) && rewritten(text).found;
}

export function hasCode(text: string): boolean {
  return /^(?: {0,3})(?:`{3,}|~{3,})[ \t]*[\w+#.-]+/m.test(text);
}

/** The text with each formula in the form that the Markdown extension reads. */
export function withFormulas(text: string): string {
  return rewritten(text).text;
}

function rewritten(text: string): { text: string; found: boolean } {
  let found = false;
  const result = text.replace(
    PARTS,
    (
      whole: string,
      code: string | undefined,
      _fence,
      _ticks,
      bracketed: string | undefined,
      parenthesized: string | undefined,
      doubled: string | undefined,
      single: string | undefined,
    ) => {
      if (code !== undefined) return whole;
      const display = bracketed ?? doubled;
      const source = display ?? parenthesized ?? single;
      // A formula could hide what it holds; then its source is shown instead.
      if (source === undefined || pieces(source).some((piece) => "hidden" in piece))
        return whole.replaceAll("$", "\\$");
      found = true;
      return display === undefined ? `$${source.trim()}$` : `\n\n$$\n${source.trim()}\n$$\n\n`;
    },
  );
  return { text: result, found };
}
