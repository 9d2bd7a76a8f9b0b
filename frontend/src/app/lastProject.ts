/** The project that somebody looked at or worked in last, in this browser. */

const SETTING = "rankloop.project";

export function rememberProject(slug: string): void {
  localStorage.setItem(SETTING, slug);
}

export function lastProject(): string | null {
  return localStorage.getItem(SETTING);
}
