import { expect, test } from "vitest";
import { pieces, spelledOut } from "./invisible";

test("ordinary text, line breaks and accents stay as they are", () => {
  const text = "Grüße,\n\tworld — naïve é 日本語 שלום";
  expect(pieces(text)).toEqual([{ text }]);
});

test.each([
  ["a\u202Eb", "a⟨U+202E⟩b"],
  ["pay\u200Bpal", "pay⟨U+200B⟩pal"],
  ["\uFEFFx", "⟨U+FEFF⟩x"],
  ["x\u{E0041}", "x⟨U+E0041⟩"],
  ["a\u200Db", "a⟨U+200D⟩b"],
  ["\u2066\u2069", "⟨U+2066⟩⟨U+2069⟩"],
  ["a\u0007", "a⟨U+0007⟩"],
])("%j is spelled out", (text, expected) => {
  expect(spelledOut(text)).toBe(expected);
});

test("joiners inside emoji and Persian words stay", () => {
  expect(pieces("👩‍💻")).toEqual([{ text: "👩‍💻" }]);
  expect(pieces("👨🏽‍🌾")).toEqual([{ text: "👨🏽‍🌾" }]);
  expect(pieces("می\u200Cخواهم")).toEqual([{ text: "می\u200Cخواهم" }]);
});
