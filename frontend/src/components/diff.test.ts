import { expect, test } from "vitest";
import { diffWords } from "./diff";

const SENTENCE = "The sky is blue.";

test("equal texts have one part", () => {
  expect(diffWords(SENTENCE, SENTENCE)).toEqual([{ kind: "same", text: SENTENCE }]);
  expect(diffWords("", "")).toEqual([]);
});

test("a changed word is removed and added, the rest stays", () => {
  expect(diffWords("two plus two is five", "two plus two is four")).toEqual([
    { kind: "same", text: "two plus two is " },
    { kind: "removed", text: "five" },
    { kind: "added", text: "four" },
  ]);
});

test("parts give both texts back", () => {
  const before = "a b c\n\nd, e";
  const after = "b x c d! e f";
  const parts = diffWords(before, after);
  const side = (kind: string) =>
    parts
      .filter((part) => part.kind !== kind)
      .map((part) => part.text)
      .join("");
  expect(side("added")).toBe(before);
  expect(side("removed")).toBe(after);
});
