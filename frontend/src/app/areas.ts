/** The pages of a project by area, and the roles that open them. The server decides; this only draws links. */
import type { Me, Role } from "../api/types";

const EVERYONE: Role[] = ["labeler", "reviewer", "engineer", "admin"];
const STAFF: Role[] = ["reviewer", "engineer", "admin"];
const REVIEWERS: Role[] = ["reviewer", "admin"];
const ENGINEERS: Role[] = ["engineer", "admin"];
const ADMINS: Role[] = ["admin"];

export const PAGES = {
  mine: { area: "labeling", roles: EVERYONE },
  runs: { area: "models", roles: ENGINEERS },
  rounds: { area: "models", roles: ENGINEERS },
  checkpoints: { area: "models", roles: ENGINEERS },
  rollouts: { area: "models", roles: ENGINEERS },
  playground: { area: "models", roles: ENGINEERS },
  tokens: { area: "models", roles: ENGINEERS },
  quality: { area: "quality", roles: STAFF },
  statistics: { area: "quality", roles: STAFF },
  review: { area: "quality", roles: REVIEWERS },
  data: { area: "project", roles: ENGINEERS },
  settings: { area: "project", roles: ADMINS },
  audit: { area: "project", roles: ADMINS },
} as const satisfies Record<string, { area: string; roles: Role[] }>;

export type PageName = keyof typeof PAGES;
export type Area = (typeof PAGES)[PageName]["area"];

/** Pages that belong to another page's tab. */
const WITHIN: Record<string, PageName> = { answers: "mine" };

export function pageOf(pathname: string): PageName | null {
  const name = pathname.split("/")[3] ?? "";
  const page = WITHIN[name] ?? name;
  return page in PAGES ? (page as PageName) : null;
}

/** An admin by global role is one in every project. */
export function roleIn(me: Me, slug: string): Role {
  if (me.role === "admin") return "admin";
  return me.projects.find((project) => project.slug === slug)?.role ?? me.role;
}

export function pagesOf(area: Area, role: Role): PageName[] {
  return (Object.keys(PAGES) as PageName[]).filter(
    (name) => PAGES[name].area === area && PAGES[name].roles.includes(role),
  );
}

/** The first page of an area that this person may open in some project, or null. */
export function entry(area: Area, me: Me): PageName | null {
  const roles = new Set([me.role, ...me.projects.map((project) => project.role)]);
  const found = [...roles].flatMap((role) => pagesOf(area, role));
  return (Object.keys(PAGES) as PageName[]).find((name) => found.includes(name)) ?? null;
}
