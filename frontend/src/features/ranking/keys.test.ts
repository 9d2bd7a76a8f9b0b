import { expect, test } from "vitest";
import { type Press, commandOf } from "./keys";

function press(key: string, more: Partial<Press> = {}): Press {
  return { key, code: "", ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more };
}

test("a digit means itself and zero means unacceptable", () => {
  expect(commandOf(press("3", { code: "Digit3" }))).toEqual({ type: "digit", digit: 3 });
  expect(commandOf(press("4", { code: "Numpad4" }))).toEqual({ type: "digit", digit: 4 });
  expect(commandOf(press("0"))).toEqual({ type: "unacceptable" });
});

test("AZERTY types digits without shift, by their keys, and with shift, by their characters", () => {
  expect(commandOf(press("&", { code: "Digit1" }))).toEqual({ type: "digit", digit: 1 });
  expect(commandOf(press("à", { code: "Digit0" }))).toEqual({ type: "unacceptable" });
  expect(commandOf(press("2", { code: "Digit2", shiftKey: true }))).toEqual({ type: "digit", digit: 2 });
});

test("a shifted digit on QWERTY is a character, not a digit", () => {
  expect(commandOf(press("!", { code: "Digit1", shiftKey: true }))).toBeNull();
});

test("QWERTZ ties with shift and zero", () => {
  expect(commandOf(press("=", { code: "Digit0", shiftKey: true }))).toEqual({ type: "tie" });
});

test("undo is u or ctrl-z, and nothing else of the browser's is taken", () => {
  expect(commandOf(press("u"))).toEqual({ type: "undo" });
  expect(commandOf(press("z", { ctrlKey: true }))).toEqual({ type: "undo" });
  expect(commandOf(press("z", { metaKey: true }))).toEqual({ type: "undo" });
  expect(commandOf(press("1", { ctrlKey: true, code: "Digit1" }))).toBeNull();
  expect(commandOf(press("0", { metaKey: true, code: "Digit0" }))).toBeNull();
  expect(commandOf(press("1", { altKey: true, code: "Digit1" }))).toBeNull();
  expect(commandOf(press("r", { ctrlKey: true }))).toBeNull();
  expect(commandOf(press("z"))).toBeNull();
});
