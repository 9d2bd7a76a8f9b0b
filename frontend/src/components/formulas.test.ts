import { expect, test } from "vitest";
import { hasCode, hasFormulas, withFormulas } from "./formulas";

test("prices are no formulas", () => {
  for (const text of ["It costs $5 and $10.", "US$ 3 or $ 4", "From $5 to $6", "a $ b", "\\$5 and \\$6"])
    expect(hasFormulas(text), text).toBe(false);
  expect(withFormulas("It costs $5 and $10.")).toBe("It costs \\$5 and \\$10.");
});

test("each way to write a formula is read", () => {
  expect(withFormulas("so $x^2$ is")).toBe("so $x^2$ is");
  expect(withFormulas("so \\(x^2\\) is")).toBe("so $x^2$ is");
  expect(withFormulas("\\[x = 1\\]").trim()).toBe("$$\nx = 1\n$$");
  expect(withFormulas("$$x = 1$$").trim()).toBe("$$\nx = 1\n$$");
});

test("code is left alone, open fences too", () => {
  const text = "`$a$` and\n```sh\necho $HOME $x$\n```\n";
  expect(withFormulas(text)).toBe(text);
  expect(hasFormulas(text)).toBe(false);
  expect(hasFormulas("```sh\necho $x$ $y$")).toBe(false);
});

test("a formula that hides something is shown as its source", () => {
  expect(hasFormulas("$x\u202E^2$")).toBe(false);
});

test("only fences that name a language are highlighted", () => {
  expect(hasCode("```python\nprint()\n```")).toBe(true);
  expect(hasCode("```\nplain\n```")).toBe(false);
});

test("a text of nothing but openings is read in no time", () => {
  for (const opening of ["\\[", "\\(", "$$", "$a", "` `` "]) {
    const text = opening.repeat(30_000);
    expect(withFormulas(text).length).toBeGreaterThan(0);
  }
}, 5_000);
