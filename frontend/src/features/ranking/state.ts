/** The board over time: what is picked, what was before, and what to say aloud about the last step. */
import {
  type Board,
  type Rules,
  move,
  place,
  placeInGap,
  sameBoard,
  setUnacceptable,
  tie,
  tieWith,
  unrank,
  untie,
  zoneOf,
} from "./ranking";

export interface State {
  readonly board: Board;
  readonly past: readonly Board[];
  /** The response that keys act on. */
  readonly current: string | null;
  /** True after a digit picked a response: the next digit is its place. */
  readonly picking: boolean;
}

export type Action =
  | { type: "digit"; digit: number }
  | { type: "pick"; id: string }
  | { type: "select"; id: string }
  | { type: "place"; id: string; rank: number }
  | { type: "gap"; id: string; gap: number }
  | { type: "tieWith"; id: string; other: string }
  | { type: "tie"; id?: string }
  | { type: "untie"; id: string }
  | { type: "move"; direction: "up" | "down"; id?: string }
  | { type: "unacceptable"; id?: string }
  | { type: "unrank"; id: string }
  | { type: "undo" }
  | { type: "cancel" };

export function start(board: Board): State {
  return { board, past: [], current: null, picking: false };
}

/** `shown` is the order in which the server showed the responses; digit 1 is its first. */
export function reducer(rules: Rules, shown: readonly string[]) {
  return (state: State, action: Action): State => {
    const { board, current } = state;
    const id = ("id" in action ? action.id : undefined) ?? current;
    switch (action.type) {
      case "digit":
        return digit(state, action.digit, shown);
      case "pick":
        return { ...state, current: action.id, picking: !(state.picking && current === action.id) };
      case "select":
        return { ...state, current: action.id };
      case "cancel":
        return { ...state, current: null, picking: false };
      case "undo": {
        const before = state.past.at(-1);
        if (before === undefined) return state;
        return { ...state, board: before, past: state.past.slice(0, -1), picking: false };
      }
    }
    if (id === null || zoneOf(board, id) === null) return state;
    switch (action.type) {
      case "place":
        return step(state, id, place(board, id, action.rank));
      case "gap":
        return step(state, id, placeInGap(board, id, action.gap));
      case "tieWith":
        return step(state, id, tieWith(board, id, action.other, rules));
      case "tie":
        return step(state, id, tie(board, id, rules));
      case "untie":
        return step(state, id, untie(board, id));
      case "move":
        return step(state, id, move(board, id, action.direction));
      case "unacceptable":
        return step(state, id, setUnacceptable(board, id, rules));
      case "unrank":
        return step(state, id, unrank(board, id, shown));
    }
  };
}

function digit(state: State, value: number, shown: readonly string[]): State {
  if (state.picking && state.current !== null) {
    return step(state, state.current, place(state.board, state.current, value));
  }
  const id = shown[value - 1];
  return id === undefined ? state : { ...state, current: id, picking: true };
}

function step(state: State, id: string, board: Board): State {
  if (sameBoard(board, state.board)) return { ...state, current: id, picking: false };
  return { board, past: [...state.past, state.board], current: id, picking: false };
}
