import { expect, test } from "vitest";
import type { RunOption } from "../../api/types";
import { defaults, rangeOf, toConfig } from "./runForm";

const option = (name: string, type: RunOption["type"], value: RunOption["default"]): RunOption => ({
  name,
  type,
  default: value,
  help: "",
  above: null,
  least: null,
  most: null,
  choices: null,
});
const OPTIONS = [
  option("learning_rate", "float", 0.0003),
  option("steps", "int", 600),
  option("bf16", "bool", false),
  option("loss", "str", "pairs"),
];

test("what nobody changed is not sent", () => {
  expect(toConfig(OPTIONS, defaults(OPTIONS))).toEqual({});
});

test("changes are sent as numbers, booleans and words", () => {
  const typed = {
    ...defaults(OPTIONS),
    learning_rate: "-1e-3",
    steps: " 12 ",
    bf16: true,
    loss: "plackett_luce",
  };
  expect(toConfig(OPTIONS, typed)).toEqual({
    learning_rate: -0.001,
    steps: 12,
    bf16: true,
    loss: "plackett_luce",
  });
});

test("what is no number is sent for the server to refuse", () => {
  expect(toConfig(OPTIONS, { ...defaults(OPTIONS), steps: "many", learning_rate: "" })).toEqual({
    steps: "many",
    learning_rate: "",
  });
});

test("a run like another starts from its config", () => {
  expect(toConfig(OPTIONS, defaults(OPTIONS, { steps: 7, bf16: true, gone: 1 }))).toEqual({
    steps: 7,
    bf16: true,
  });
});

test("ranges in words", () => {
  const words = { above: "above", least: "from", most: "at most" };
  expect(rangeOf({ ...option("a", "int", 1), above: 0, most: 1000 }, words)).toBe("above 0, at most 1,000");
  expect(rangeOf(option("a", "int", 1), words)).toBe("");
});
