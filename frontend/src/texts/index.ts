/** What the screens say, in the language of the person who reads it. */
import { en } from "./en";
import type { Sayable } from "./sayable";

export type Texts = Sayable<typeof en>;

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

const SETTING = "rankloop.language";

/** The sentences in use. Set once before the first page is drawn; read it while drawing, never at import. */
export let t: Texts = en;
let spoken: Language = "en";

function isLanguage(name: string | null): name is Language {
  return name !== null && name in LANGUAGES;
}

/** The language chosen in this browser, else the first of the browser's own that there is, else English. */
export function chosenLanguage(): Language {
  const stored = localStorage.getItem(SETTING);
  if (isLanguage(stored)) return stored;
  const wanted = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  return wanted.find(isLanguage) ?? "en";
}

export function currentLanguage(): Language {
  return spoken;
}

/** Numbers and dates: the browser's own variant of the language in use, such as `en-GB`. */
export function locale(): string {
  return navigator.languages.find((tag) => tag.toLowerCase().startsWith(spoken)) ?? spoken;
}

/** Loads a language; others than English are files of their own that only their readers fetch. */
export async function speak(language: Language): Promise<void> {
  t = language === "de" ? (await import("./de")).de : en;
  spoken = language;
  document.documentElement.lang = language;
}

/** Remembers the choice; the page is loaded anew, because sentences are read while drawing. */
export function chooseLanguage(language: Language): void {
  localStorage.setItem(SETTING, language);
  window.location.reload();
}
