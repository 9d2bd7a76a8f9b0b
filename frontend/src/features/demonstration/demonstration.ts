/** What a stored draft holds; a draft of another form is an empty one. */
export function draftOf(stored: Record<string, unknown> | null): { text: string; activeMs: number } {
  const text = stored?.["text"];
  const active = stored?.["active_ms"];
  return {
    text: typeof text === "string" ? text : "",
    activeMs: typeof active === "number" && active > 0 ? active : 0,
  };
}

/** Handing the model's own words in as one's own is asked about, whatever the white space around them. */
export function isSameText(text: string, policyDraft: string | null): boolean {
  return policyDraft !== null && text.trim() === policyDraft.trim();
}
