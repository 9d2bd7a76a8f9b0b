import { expect, test } from "vitest";
import { draftOf, isSameText } from "./demonstration";

test("a draft comes back, one of another form is empty", () => {
  expect(draftOf({ text: "Hello", active_ms: 5 })).toEqual({ text: "Hello", activeMs: 5 });
  expect(draftOf({ text: 3, active_ms: -1 })).toEqual({ text: "", activeMs: 0 });
  expect(draftOf(null)).toEqual({ text: "", activeMs: 0 });
});

test("white space around it does not make the draft one's own", () => {
  expect(isSameText(" As a model.\n", "As a model.")).toBe(true);
  expect(isSameText("As a person.", "As a model.")).toBe(false);
  expect(isSameText("", null)).toBe(false);
});
