import { expect, test } from "vitest";
import { see, timeLeft } from "./timeLeft";

const at = (done: number, stage = "ppo") => ({ stage, done, total: 100 });

test("the time left follows from the speed seen", () => {
  let seen = see(null, at(10), 0);
  expect(timeLeft(seen, at(10))).toBeNull();
  seen = see(seen, at(30), 40_000);
  expect(timeLeft(seen, at(30))).toBe(140);
  expect(timeLeft(seen, at(100))).toBeNull();
});

test("a new stage, and one that went back, start anew", () => {
  const seen = see(see(null, at(10), 0), at(30), 40_000);
  expect(see(seen, at(5, "evaluation"), 50_000).first).toEqual([5, 50_000]);
  expect(see(seen, at(20), 50_000).first).toEqual([20, 50_000]);
  expect(see(seen, at(30), 90_000).last).toEqual([30, 40_000]);
});
