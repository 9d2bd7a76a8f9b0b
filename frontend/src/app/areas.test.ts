import { expect, test } from "vitest";
import type { Me, Role } from "../api/types";
import { entry, pageOf, pagesOf, roleIn } from "./areas";

const person = (role: Role, inProject: Role = role): Me => ({
  id: "1",
  username: "x",
  name: "",
  role,
  csrf_token: "",
  projects: [{ slug: "lab", name: "Lab", role: inProject }],
});

test("a page is known by its address, and answers belong to one's own", () => {
  expect(pageOf("/p/lab/runs/new")).toBe("runs");
  expect(pageOf("/p/lab/answers/1")).toBe("mine");
  expect(pageOf("/p/lab/work")).toBeNull();
});

test("the role in the project counts, except for admins", () => {
  expect(roleIn(person("labeler", "reviewer"), "lab")).toBe("reviewer");
  expect(roleIn(person("admin", "labeler"), "lab")).toBe("admin");
  expect(pagesOf("quality", "engineer")).toEqual(["quality", "statistics"]);
  expect(pagesOf("models", "labeler")).toEqual([]);
});

test("an area opens at the first page that a person may see", () => {
  expect(entry("models", person("labeler"))).toBeNull();
  expect(entry("project", person("engineer"))).toBe("data");
  expect(entry("quality", person("labeler", "reviewer"))).toBe("quality");
});
