import { expect, test } from "vitest";
import { withField } from "./mapping";

test("a field of the file stands for one of the format's, and the reverse", () => {
  expect(withField({}, "prompt", "frage")).toEqual({ frage: "prompt" });
  expect(withField({ frage: "prompt" }, "prompt", "text")).toEqual({ text: "prompt" });
  expect(withField({ frage: "prompt" }, "chosen", "frage")).toEqual({ frage: "chosen" });
  expect(withField({ frage: "prompt", a: "chosen" }, "prompt", "")).toEqual({ a: "chosen" });
});
