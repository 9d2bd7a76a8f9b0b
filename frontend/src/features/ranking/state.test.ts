import { expect, test } from "vitest";
import { emptyBoard } from "./ranking";
import { type Action, type State, reducer, start } from "./state";

const SHOWN = ["a", "b", "c"];
const step = reducer({ allow_ties: true, allow_partial: false, allow_unacceptable: true }, SHOWN);

function play(...actions: Action[]): State {
  return actions.reduce(step, start(emptyBoard(SHOWN.map((id) => ({ id })))));
}

const digit = (value: number): Action => ({ type: "digit", digit: value });

test("a digit picks a response by the order shown, the next digit is its place", () => {
  const picked = play(digit(2));
  expect(picked).toMatchObject({ current: "b", picking: true });
  expect(play(digit(2), digit(1), digit(1), digit(1)).board.ranked).toEqual([["a"], ["b"]]);
});

test("keys act on the response placed last", () => {
  expect(play(digit(1), digit(1), digit(2), digit(2), { type: "tie" }).board.ranked).toEqual([["a", "b"]]);
  const moved = play(digit(1), digit(1), digit(2), digit(2), { type: "move", direction: "up" });
  expect(moved.board.ranked).toEqual([["b"], ["a"]]);
});

test("undo goes back one step at a time and skips steps that changed nothing", () => {
  const up: Action = { type: "move", direction: "up" };
  const state = play(digit(1), digit(1), up, up, digit(2), { type: "unacceptable" });
  expect(state.board.unacceptable).toEqual(["b"]);
  const once = step(state, { type: "undo" });
  expect(once.board).toEqual({ ranked: [["a"]], unacceptable: [], unranked: ["b", "c"] });
  const twice = step(once, { type: "undo" });
  expect(twice.board.ranked).toEqual([]);
  expect(step(twice, { type: "undo" })).toBe(twice);
});

test("digits without a response, and keys without a pick, change nothing", () => {
  const state = play();
  expect(step(state, digit(9))).toBe(state);
  expect(step(state, { type: "tie" })).toBe(state);
  expect(step(state, { type: "unacceptable" })).toBe(state);
});

test("escape puts the pick down", () => {
  expect(play(digit(2), { type: "cancel" })).toMatchObject({ current: null, picking: false });
});
