import { expect, test } from "vitest";
import { FIRST, changed, exportPath, filtersOf, previewPath } from "./exportChoice";

test("a kind that the format does not carry takes the first format that does", () => {
  expect(changed({ ...FIRST, format: "hh" }, { kind: "demonstrations" }).format).toBe("rankloop");
  expect(changed(FIRST, { kind: "judgments" }).format).toBe("trl");
  expect(changed({ ...FIRST, format: "trl" }, { kind: "demonstrations" }).format).toBe("trl");
});

test("parquet is no text: it is a package, and is looked at as lines", () => {
  const choice = changed(FIRST, { format: "parquet" });
  expect(exportPath("lab", choice)).toBe("projects/lab/export?kind=rankings&format=parquet&package=1");
  expect(previewPath("lab", choice)).toBe("projects/lab/export?kind=rankings&format=trl");
});

test("filters are what was filled in, as the server takes them", () => {
  const filled = { ...FIRST, split: "train", minAgreement: "0.5", minRankings: "2", limit: "10" } as const;
  expect(filtersOf(filled)).toEqual({ split: "train", min_agreement: 0.5, min_rankings: 2, limit: 10 });
  expect(filtersOf({ ...filled, kind: "prompts", whose: "ours" })).toEqual({ split: "train", limit: 10 });
  expect(filtersOf({ ...filled, kind: "judgments", whose: "ours" })).toEqual({ split: "train", limit: 10 });
  expect(filtersOf({ ...FIRST, whose: "imported", merged: true })).toEqual({
    imported: true,
    merge: "merged",
  });
});

test("a day is from its start to the start of the next one, here", () => {
  const { since, until } = filtersOf({ ...FIRST, from: "2030-03-30", to: "2030-03-31" });
  expect(new Date(since as string).toString()).toContain("Mar 30 2030 00:00:00");
  expect(new Date(until as string).toString()).toContain("Apr 01 2030 00:00:00");
});
