/**
 * The ranking board as plain data: which responses are ranked, in which order, and which are not.
 *
 * Every response is in exactly one place at all times. A tier is a set of tied responses; tiers run from
 * best to worst and are never empty. Responses are known by id only, never by where they stand.
 */
import type { RankingBody, ResponseItem, TaskSettings } from "../../api/types";

export interface Board {
  readonly ranked: readonly (readonly string[])[];
  readonly unacceptable: readonly string[];
  /** In the order shown, so that putting one back never reveals or suggests an order. */
  readonly unranked: readonly string[];
}

export type Rules = Pick<TaskSettings, "allow_ties" | "allow_partial" | "allow_unacceptable">;

export type Zone = "ranked" | "unacceptable" | "unranked";

/** All responses start unranked: nothing is submitted that nobody decided. */
export function emptyBoard(responses: readonly Pick<ResponseItem, "id">[]): Board {
  return { ranked: [], unacceptable: [], unranked: responses.map((response) => response.id) };
}

export function zoneOf(board: Board, id: string): Zone | null {
  if (board.ranked.some((tier) => tier.includes(id))) return "ranked";
  if (board.unacceptable.includes(id)) return "unacceptable";
  return board.unranked.includes(id) ? "unranked" : null;
}

/** Index of the tier that holds the response, or -1. */
export function tierOf(board: Board, id: string): number {
  return board.ranked.findIndex((tier) => tier.includes(id));
}

/** 1 for the best tier; null where the response is not ranked. Ties share a rank and leave no gap. */
export function rankOf(board: Board, id: string): number | null {
  const tier = tierOf(board, id);
  return tier < 0 ? null : tier + 1;
}

/** Gives the response a tier of its own so that it ends up with this rank, or the last one if that is less. */
export function place(board: Board, id: string, rank: number): Board {
  if (zoneOf(board, id) === null || rank < 1) return board;
  const rest = without(board, id);
  const at = Math.min(rank - 1, rest.ranked.length);
  return { ...rest, ranked: rest.ranked.toSpliced(at, 0, [id]) };
}

/** Drops the response between tiers: gap 0 is above the first tier, counted before the response is lifted. */
export function placeInGap(board: Board, id: string, gap: number): Board {
  const from = tierOf(board, id);
  const vanishes = from >= 0 && board.ranked[from]?.length === 1 && from < gap;
  return place(board, id, gap + 1 - (vanishes ? 1 : 0));
}

/** Ties the response with another one, wherever that stands in the order. */
export function tieWith(board: Board, id: string, other: string, rules: Rules): Board {
  if (!rules.allow_ties || id === other || rankOf(board, other) === null) return board;
  const rest = without(board, id);
  const target = tierOf(rest, other);
  return { ...rest, ranked: rest.ranked.map((tier, index) => (index === target ? [...tier, id] : tier)) };
}

/** Ties the response with the tier above it; one that is not ranked joins the last tier. */
export function tie(board: Board, id: string, rules: Rules): Board {
  const tier = tierOf(board, id);
  const above = tier < 0 ? board.ranked.at(-1) : board.ranked[tier - 1];
  const other = above?.[0];
  return other === undefined ? board : tieWith(board, id, other, rules);
}

/** Gives a tied response the place just below those it was tied with. */
export function untie(board: Board, id: string): Board {
  const tier = tierOf(board, id);
  if (tier < 0 || board.ranked[tier]?.length === 1) return board;
  return placeInGap(board, id, tier + 1);
}

/**
 * Moves the response one step: out of its tie first, then past the next tier.
 *
 * A response that is not ranked enters at the end of the order on its way up and stays on its way down.
 */
export function move(board: Board, id: string, direction: "up" | "down"): Board {
  const tier = tierOf(board, id);
  if (tier < 0) return direction === "up" ? place(board, id, board.ranked.length + 1) : board;
  if ((board.ranked[tier]?.length ?? 0) > 1)
    return placeInGap(board, id, direction === "up" ? tier : tier + 1);
  const rank = direction === "up" ? tier : tier + 2;
  return rank < 1 || rank > board.ranked.length ? board : place(board, id, rank);
}

export function setUnacceptable(board: Board, id: string, rules: Rules): Board {
  if (!rules.allow_unacceptable || zoneOf(board, id) === null) return board;
  const rest = without(board, id);
  return { ...rest, unacceptable: [...rest.unacceptable, id] };
}

/** Takes the decision back: the response is unranked again, in the place where it was shown. */
export function unrank(board: Board, id: string, shown: readonly string[]): Board {
  if (zoneOf(board, id) === null) return board;
  const rest = without(board, id);
  const unranked = new Set([...rest.unranked, id]);
  return { ...rest, unranked: shown.filter((each) => unranked.has(each)) };
}

/** Every response decided; where partial rankings are allowed, at least one ranked. */
export function isComplete(board: Board, rules: Rules): boolean {
  if (board.unranked.length === 0) return true;
  return rules.allow_partial && board.ranked.length > 0;
}

export function sameBoard(a: Board, b: Board): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** What goes with the order: scores, flags and words, per project. */
export interface Notes {
  readonly likert: Readonly<Record<string, number>>;
  readonly flags: Readonly<Record<string, readonly string[]>>;
  readonly rationale: string;
  readonly confidence: number | null;
}

export const NO_NOTES: Notes = { likert: {}, flags: {}, rationale: "", confidence: null };

/** Ranks start at 1; not ranked and unacceptable responses have rank null, the latter are listed too. */
export function toSubmission(board: Board, notes: Notes, activeMs: number): RankingBody {
  const ranks: Record<string, number | null> = {};
  board.ranked.forEach((tier, index) => tier.forEach((id) => (ranks[id] = index + 1)));
  for (const id of [...board.unacceptable, ...board.unranked]) ranks[id] = null;
  const flags = Object.fromEntries(
    Object.entries(notes.flags)
      .filter(([, names]) => names.length > 0)
      .map(([id, names]) => [id, [...names]]),
  );
  return {
    ranks,
    unacceptable: [...board.unacceptable],
    likert: { ...notes.likert },
    flags,
    rationale: notes.rationale.trim(),
    ...(notes.confidence === null ? {} : { confidence: notes.confidence }),
    active_ms: Math.round(activeMs),
  };
}

export interface Draft extends Board, Notes {
  readonly active_ms: number;
}

export function toDraft(board: Board, notes: Notes, activeMs: number): Draft {
  return { ...board, ...notes, active_ms: Math.round(activeMs) };
}

/**
 * The board and notes of a stored draft. A draft may be older than this code or than the task, so unknown
 * and repeated ids are dropped, missing ones are unranked, and values of another type are left out.
 */
export function fromDraft(
  draft: unknown,
  shown: readonly string[],
): { board: Board; notes: Notes; activeMs: number } {
  const value = isRecord(draft) ? draft : {};
  const left = new Set(shown);
  const take = (ids: unknown): string[] =>
    (Array.isArray(ids) ? ids : []).filter((id): id is string => typeof id === "string" && left.delete(id));

  const ranked = (Array.isArray(value["ranked"]) ? value["ranked"] : [])
    .map(take)
    .filter((tier) => tier.length > 0);
  const unacceptable = take(value["unacceptable"]);
  const board: Board = { ranked, unacceptable, unranked: shown.filter((id) => left.has(id)) };

  const known = new Set(shown);
  const entries = (name: string) =>
    Object.entries(isRecord(value[name]) ? value[name] : {}).filter(([id]) => known.has(id));
  const likert = Object.fromEntries(
    entries("likert").filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
  const flags = Object.fromEntries(
    entries("flags")
      .filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]))
      .map(([id, names]) => [id, names.filter((name): name is string => typeof name === "string")]),
  );
  const { rationale, confidence, active_ms: active } = value;
  return {
    board,
    notes: {
      likert,
      flags,
      rationale: typeof rationale === "string" ? rationale : "",
      confidence: typeof confidence === "number" ? confidence : null,
    },
    activeMs: typeof active === "number" && active > 0 ? active : 0,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function without(board: Board, id: string): Board {
  return {
    ranked: board.ranked.map((tier) => tier.filter((each) => each !== id)).filter((tier) => tier.length > 0),
    unacceptable: board.unacceptable.filter((each) => each !== id),
    unranked: board.unranked.filter((each) => each !== id),
  };
}
