/**
 * Text written by models and imported from files, as Markdown. Raw HTML shows as text, images are named
 * instead of loaded, links do nothing until confirmed, and characters that hide are spelled out. Formulas and
 * highlighted code load when a text has them; until then, and where that fails, their source is shown.
 */
import { memo, useEffect, useState } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import type { Pluggable } from "unified";
import rehypeSanitize, { defaultSchema } from "rehype-sanitize";
import remarkGfm from "remark-gfm";
import { t } from "../texts";
import { Dialog } from "./Dialog";
import { hasCode, hasFormulas, withFormulas } from "./formulas";
import { pieces, rehypeInvisible, rehypeRawAsText, spelledOut } from "./invisible";

const schema = {
  ...defaultSchema,
  tagNames: (defaultSchema.tagNames ?? []).filter((name) => name !== "input" && name !== "picture"),
  clobberPrefix: "text-",
  attributes: {
    ...defaultSchema.attributes,
    code: [["className", /^language-./, "math-inline", "math-display"]],
  },
} satisfies typeof defaultSchema;

const components: Components = {
  a: ({ href, children }) => <InertLink href={href ?? ""}>{children}</InertLink>,
  img: ({ src, alt }) => (
    <span className="inert-image">
      {t.markdown.image(spelledOut(alt ?? ""), typeof src === "string" ? spelledOut(src) : "")}
    </span>
  ),
  p: ({ children }) => <p dir="auto">{children}</p>,
  li: ({ children }) => <li dir="auto">{children}</li>,
  // Long lines scroll, which the keyboard must reach.
  // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling area needs the keyboard
  pre: ({ children }) => <pre tabIndex={0}>{children}</pre>,
  table: ({ children }) => (
    <div className="scroll-x">
      <table>{children}</table>
    </div>
  ),
};

export const Markdown = memo(function Markdown({ text, plain = false }: { text: string; plain?: boolean }) {
  const formulas = !plain && hasFormulas(text);
  const rich = useRich(formulas || (!plain && hasCode(text)));
  if (text.trim() === "") return <p className="muted">{t.markdown.empty}</p>;
  if (plain) return <PlainText text={text} />;
  const math = formulas && rich !== null;
  return (
    <div className="prose">
      <ReactMarkdown
        remarkPlugins={math ? [remarkGfm, ...rich.remarkRich] : [remarkGfm]}
        rehypePlugins={[
          rehypeRawAsText,
          [rehypeSanitize, schema],
          ...((rich?.rehypeRich ?? []) as Pluggable[]),
          rehypeInvisible,
        ]}
        components={components}
      >
        {math ? withFormulas(text) : text}
      </ReactMarkdown>
    </div>
  );
});

type Rich = typeof import("./rich");
let loaded: Rich | null = null;

function useRich(wanted: boolean): Rich | null {
  const [rich, setRich] = useState<Rich | null>(loaded);
  useEffect(() => {
    if (!wanted || rich !== null) return;
    let gone = false;
    void import("./rich").then(
      (module) => {
        loaded = module;
        if (!gone) setRich(module);
      },
      () => undefined,
    );
    return () => {
      gone = true;
    };
  }, [wanted, rich]);
  return wanted ? rich : null;
}

function PlainText({ text }: { text: string }) {
  return (
    <div className="prose plain-text" dir="auto">
      {pieces(text).map((piece, index) =>
        "text" in piece ? (
          piece.text
        ) : (
          <mark key={index} className="hidden-char">
            {piece.hidden}
          </mark>
        ),
      )}
    </div>
  );
}

function InertLink({ href, children }: { href: string; children: React.ReactNode }) {
  const [asking, setAsking] = useState(false);
  const web = /^https?:\/\//i.test(href);
  return (
    <>
      <button
        type="button"
        className="inert-link"
        onClick={(event) => {
          event.stopPropagation();
          setAsking(true);
        }}
      >
        {children}
      </button>
      {asking && (
        <Dialog title={t.markdown.linkTitle} onClose={() => setAsking(false)}>
          <p>{t.markdown.linkWarning}</p>
          <p className="address">{spelledOut(href)}</p>
          <div className="actions">
            <button type="button" className="button" onClick={() => setAsking(false)}>
              {t.common.cancel}
            </button>
            {web && (
              <a className="button primary" href={href} target="_blank" rel="noopener noreferrer nofollow">
                {t.markdown.openLink}
              </a>
            )}
          </div>
        </Dialog>
      )}
    </>
  );
}
