// @vitest-environment happy-dom
import { expect, test } from "vitest";
import type { Piece } from "../../api/types";
import { chance, counts, shownText, surprise, whole } from "./tokens";

test("white space and what hides can be seen", () => {
  expect(shownText(" a\tb\n")).toBe("·a⇥b⏎");
  expect(shownText("pay\u202Epal")).toBe("pay⟨U+202E⟩pal");
  expect(shownText("")).toBe("∅");
});

test("the template's tokens are counted apart", () => {
  const piece = (part: Piece["part"]): Piece => ({
    id: 1,
    text: "a",
    role: "user",
    part,
    logprob: null,
    rank: null,
  });
  expect(counts([piece("template"), piece("content"), piece("template")])).toEqual({
    content: 1,
    template: 2,
  });
});

test("a small chance is not none", () => {
  expect(chance(0.5)).toBe("50.0%");
  expect(chance(0.00001)).toBe("< 0.1%");
  expect(chance(0)).toBe("0.0%");
});

test("the system message comes first, where there is one", () => {
  const turn = { role: "user", content: "Hello" } as const;
  expect(whole(" ", [turn])).toEqual([turn]);
  expect(whole("Be kind. ", [turn])).toEqual([{ role: "system", content: "Be kind." }, turn]);
});

test("surprise is in bits", () => {
  expect(surprise(Math.log(0.5))).toBe("1.0");
  expect(surprise(0)).toBe("0.0");
});
