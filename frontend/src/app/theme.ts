export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const SETTING = "rankloop.theme";

export function storedTheme(): Theme {
  const stored = localStorage.getItem(SETTING);
  return THEMES.find((theme) => theme === stored) ?? "system";
}

export function applyTheme(theme: Theme): void {
  localStorage.setItem(SETTING, theme);
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}
