import { expect, test } from "vitest";
import {
  changed,
  draftOf,
  goneOn,
  isComplete,
  isSameText,
  ONE_REPLY,
  shortened,
  toSubmission,
} from "./demonstration";

test("a draft of another form is an empty one", () => {
  expect(draftOf(null)).toEqual({ turns: ONE_REPLY, activeMs: 0 });
  expect(draftOf({ turns: [{ content: 3 }], active_ms: "x" })).toEqual({ turns: ONE_REPLY, activeMs: 0 });
  expect(draftOf({ turns: [{ content: "a" }, { content: "b" }] }).turns).toEqual(ONE_REPLY);
  expect(draftOf({ text: "Hello.", active_ms: 5 })).toEqual({
    turns: [{ role: "assistant", content: "Hello." }],
    activeMs: 5,
  });
});

test("a conversation goes on in pairs and ends with the assistant", () => {
  let turns = changed(ONE_REPLY, 0, " Hello. ");
  expect(toSubmission(turns, 12.4)).toEqual({ text: "Hello.", active_ms: 12 });
  turns = goneOn(turns);
  expect(isComplete(turns)).toBe(false);
  turns = changed(changed(turns, 1, "And then?"), 2, "Nothing.");
  expect(isComplete(turns)).toBe(true);
  expect(toSubmission(turns, 1).messages?.map(({ role, content }) => [role, content])).toEqual([
    ["assistant", "Hello."],
    ["user", "And then?"],
    ["assistant", "Nothing."],
  ]);
  expect(draftOf({ turns }).turns).toEqual(turns);
  expect(shortened(turns)).toHaveLength(1);
  expect(shortened(shortened(turns))).toHaveLength(1);
});

test("white space does not make the draft one's own", () => {
  expect(isSameText(" The draft. ", "The draft.")).toBe(true);
  expect(isSameText("Mine.", "The draft.")).toBe(false);
  expect(isSameText("", null)).toBe(false);
});
