import { expect, test } from "vitest";
import { choiceOfKey, draftOf } from "./comparison";

const IDS = ["x", "y"];
const press = (key: string, code = "", shiftKey = false) => ({ key, code, shiftKey });

test("keys choose", () => {
  expect(choiceOfKey(press("1"), IDS)).toBe("x");
  expect(choiceOfKey(press("é", "Digit2"), IDS)).toBe("y");
  expect(choiceOfKey(press("="), IDS)).toBe("tie");
  expect(choiceOfKey(press("0"), IDS)).toBe("both_bad");
  expect(choiceOfKey(press("3"), IDS)).toBeNull();
  expect(choiceOfKey(press("a", "KeyA"), IDS)).toBeNull();
});

test("a draft with a choice of another task has none", () => {
  expect(draftOf({ choice: "z", rationale: "r", active_ms: 2 }, IDS)).toEqual({
    choice: null,
    rationale: "r",
    activeMs: 2,
  });
  expect(draftOf({ choice: "tie" }, IDS).choice).toBe("tie");
});
