import { describe, expect, test } from "vitest";
import {
  type Board,
  NO_NOTES,
  emptyBoard,
  fromDraft,
  isComplete,
  move,
  place,
  placeInGap,
  rankOf,
  setUnacceptable,
  tie,
  tieWith,
  toDraft,
  toSubmission,
  unrank,
  untie,
} from "./ranking";

const SHOWN = ["a", "b", "c", "d"];
const ALL = { allow_ties: true, allow_partial: false, allow_unacceptable: true };

function board(ranked: string[][], unacceptable: string[] = []): Board {
  const placed = new Set([...ranked.flat(), ...unacceptable]);
  return { ranked, unacceptable, unranked: SHOWN.filter((id) => !placed.has(id)) };
}

describe("start", () => {
  test("all responses start unranked and undecided", () => {
    const start = emptyBoard(SHOWN.map((id) => ({ id })));
    expect(start).toEqual({ ranked: [], unacceptable: [], unranked: SHOWN });
    expect(isComplete(start, ALL)).toBe(false);
    expect(isComplete(start, { ...ALL, allow_partial: true })).toBe(false);
  });
});

describe("place", () => {
  test("puts a response at its rank and pushes the others down", () => {
    expect(place(board([["a"], ["b"]]), "c", 1).ranked).toEqual([["c"], ["a"], ["b"]]);
    expect(place(board([["a"], ["b"]]), "c", 2).ranked).toEqual([["a"], ["c"], ["b"]]);
  });

  test("a rank beyond the end is the end", () => {
    expect(place(board([["a"]]), "d", 4).ranked).toEqual([["a"], ["d"]]);
  });

  test("a ranked response ends up with the rank asked for, upwards and downwards", () => {
    const order = board([["a"], ["b"], ["c"]]);
    expect(place(order, "a", 3).ranked).toEqual([["b"], ["c"], ["a"]]);
    expect(place(order, "c", 1).ranked).toEqual([["c"], ["a"], ["b"]]);
  });

  test("unknown responses and ranks below 1 change nothing", () => {
    const order = board([["a"]]);
    expect(place(order, "z", 1)).toBe(order);
    expect(place(order, "b", 0)).toBe(order);
  });

  test("a gap is counted before the response is lifted", () => {
    const order = board([["a"], ["b"], ["c"]]);
    expect(placeInGap(order, "a", 2).ranked).toEqual([["b"], ["a"], ["c"]]);
    expect(placeInGap(order, "a", 1).ranked).toEqual([["a"], ["b"], ["c"]]);
    expect(placeInGap(order, "c", 0).ranked).toEqual([["c"], ["a"], ["b"]]);
    expect(placeInGap(board([["a", "b"], ["c"]]), "a", 1).ranked).toEqual([["b"], ["a"], ["c"]]);
  });
});

describe("tie and untie", () => {
  test("ties with the tier above and keeps everyone in one place", () => {
    const tied = tie(board([["a"], ["b"], ["c"]]), "b", ALL);
    expect(tied.ranked).toEqual([["a", "b"], ["c"]]);
    expect(rankOf(tied, "a")).toBe(1);
    expect(rankOf(tied, "b")).toBe(1);
    expect(rankOf(tied, "c")).toBe(2);
  });

  test("an unranked response joins the last tier, and the first tier has nothing above", () => {
    expect(tie(board([["a"], ["b"]]), "c", ALL).ranked).toEqual([["a"], ["b", "c"]]);
    const order = board([["a"], ["b"]]);
    expect(tie(order, "a", ALL)).toBe(order);
    const nothing = board([]);
    expect(tie(nothing, "a", ALL)).toBe(nothing);
  });

  test("a project without ties has none", () => {
    const order = board([["a"], ["b"]]);
    expect(tie(order, "b", { ...ALL, allow_ties: false })).toBe(order);
    expect(tieWith(order, "b", "a", { ...ALL, allow_ties: false })).toBe(order);
  });

  test("tying with a response across the order", () => {
    expect(tieWith(board([["a"], ["b"], ["c"]]), "a", "c", ALL).ranked).toEqual([["b"], ["c", "a"]]);
  });

  test("an untied response stands just below its former equals", () => {
    expect(untie(board([["a", "b", "c"], ["d"]]), "a").ranked).toEqual([["b", "c"], ["a"], ["d"]]);
    const order = board([["a"], ["b"]]);
    expect(untie(order, "a")).toBe(order);
  });
});

describe("move", () => {
  test("steps past one tier", () => {
    const order = board([["a"], ["b", "c"], ["d"]]);
    expect(move(order, "d", "up").ranked).toEqual([["a"], ["d"], ["b", "c"]]);
    expect(move(order, "a", "down").ranked).toEqual([["b", "c"], ["a"], ["d"]]);
  });

  test("leaves a tie before it passes anyone", () => {
    const order = board([["a"], ["b", "c"], ["d"]]);
    expect(move(order, "c", "up").ranked).toEqual([["a"], ["c"], ["b"], ["d"]]);
    expect(move(order, "b", "down").ranked).toEqual([["a"], ["c"], ["b"], ["d"]]);
  });

  test("stops at both ends", () => {
    const order = board([["a"], ["b"]]);
    expect(move(order, "a", "up")).toBe(order);
    expect(move(order, "b", "down")).toBe(order);
  });

  test("brings an unranked or unacceptable response in at the end", () => {
    expect(move(board([["a"]]), "b", "up").ranked).toEqual([["a"], ["b"]]);
    expect(move(board([["a"]], ["b"]), "b", "up")).toEqual(board([["a"], ["b"]]));
    const order = board([["a"]]);
    expect(move(order, "b", "down")).toBe(order);
  });
});

describe("unacceptable and back", () => {
  test("an unacceptable response leaves the order", () => {
    expect(setUnacceptable(board([["a"], ["b"]]), "a", ALL)).toEqual(board([["b"]], ["a"]));
    const order = board([["a"]]);
    expect(setUnacceptable(order, "a", { ...ALL, allow_unacceptable: false })).toBe(order);
  });

  test("all unacceptable is an answer", () => {
    expect(isComplete(board([], SHOWN), ALL)).toBe(true);
  });

  test("an unranked response returns to where it was shown", () => {
    expect(unrank(board([["b"], ["a"]]), "b", SHOWN).unranked).toEqual(["b", "c", "d"]);
  });
});

describe("complete", () => {
  test("needs every response decided, unless the project takes partial rankings", () => {
    const partial = board([["a"]]);
    expect(isComplete(partial, ALL)).toBe(false);
    expect(isComplete(partial, { ...ALL, allow_partial: true })).toBe(true);
    expect(isComplete(board([["a"], ["b", "c"]], ["d"]), ALL)).toBe(true);
    expect(isComplete(board([], ["d"]), { ...ALL, allow_partial: true })).toBe(false);
  });
});

describe("submission", () => {
  test("ranks by response id, null for what has no rank", () => {
    const notes = {
      ...NO_NOTES,
      likert: { a: 6 },
      flags: { a: [], b: ["harmful"] },
      rationale: "  clear \n",
    };
    expect(toSubmission(board([["b"], ["a", "c"]], ["d"]), notes, 1234.6)).toEqual({
      ranks: { b: 1, a: 2, c: 2, d: null },
      unacceptable: ["d"],
      likert: { a: 6 },
      flags: { b: ["harmful"] },
      rationale: "clear",
      active_ms: 1235,
    });
    expect(toSubmission(board([]), { ...NO_NOTES, confidence: 2 }, 0).confidence).toBe(2);
  });
});

describe("drafts", () => {
  test("come back as they were stored, through JSON", () => {
    const notes = { likert: { a: 3 }, flags: { c: ["pii"] }, rationale: "so", confidence: 4 };
    const order = board([["b", "a"]], ["d"]);
    const stored: unknown = JSON.parse(JSON.stringify(toDraft(order, notes, 900)));
    expect(fromDraft(stored, SHOWN)).toEqual({ board: order, notes, activeMs: 900 });
  });

  test("lose unknown and repeated ids and gain missing ones as unranked", () => {
    const stored = {
      ranked: [["z"], ["a", "a"], "b", []],
      unacceptable: ["a", "c"],
      likert: { z: 1, a: "5" },
    };
    expect(fromDraft(stored, SHOWN).board).toEqual(board([["a"]], ["c"]));
    expect(fromDraft(stored, SHOWN).notes).toEqual(NO_NOTES);
  });

  test.each([null, 7, "x", [], {}])("anything else (%j) is an empty board", (stored) => {
    expect(fromDraft(stored, SHOWN)).toEqual({ board: board([]), notes: NO_NOTES, activeMs: 0 });
  });
});

test("no sequence of steps loses or doubles a response", () => {
  let seed = 7;
  const random = (n: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  let current = emptyBoard(SHOWN.map((id) => ({ id })));
  for (let i = 0; i < 2_000; i++) {
    const id = SHOWN[random(4)] ?? "a";
    const other = SHOWN[random(4)] ?? "a";
    const steps: (() => Board)[] = [
      () => place(current, id, 1 + random(5)),
      () => placeInGap(current, id, random(5)),
      () => tie(current, id, ALL),
      () => tieWith(current, id, other, ALL),
      () => untie(current, id),
      () => move(current, id, "up"),
      () => move(current, id, "down"),
      () => setUnacceptable(current, id, ALL),
      () => unrank(current, id, SHOWN),
    ];
    current = steps[random(steps.length)]?.() ?? current;
    expect([...current.ranked.flat(), ...current.unacceptable, ...current.unranked].sort()).toEqual(SHOWN);
    expect(current.ranked.every((tier) => tier.length > 0)).toBe(true);
  }
});
