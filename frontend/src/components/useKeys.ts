import { useEffect, useRef, useState } from "react";

const SETTING = "rankloop.shortcuts";

/**
 * Page-wide shortcut keys. They rest while somebody types, while a dialog is open, and where a focused
 * control needs the key itself; people who dictate or use a screen reader can turn them off (WCAG 2.1.4).
 *
 * `handle` returns true when it used the press.
 */
export function useKeys(handle: (event: KeyboardEvent) => boolean, active: boolean) {
  const [on, setOn] = useState(() => localStorage.getItem(SETTING) !== "off");
  const latest = useRef(handle);
  useEffect(() => {
    latest.current = handle;
  });
  useEffect(() => {
    if (!active || !on) return;
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing || belongsElsewhere(event)) return;
      if (latest.current(event)) event.preventDefault();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, [active, on]);
  const set = (value: boolean) => {
    localStorage.setItem(SETTING, value ? "on" : "off");
    setOn(value);
  };
  return [{ on, set }] as const;
}

function belongsElsewhere(event: KeyboardEvent): boolean {
  if (document.querySelector("dialog[open]")) return true;
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  if (target instanceof HTMLInputElement) {
    const typed = !["checkbox", "radio", "button"].includes(target.type);
    return typed || event.key.startsWith("Arrow") || event.key === "Enter";
  }
  return event.key === "Enter" && target.closest("button, a, summary") !== null;
}
