/** Mit einem Modellstand reden, und seine Tokens. */
import { counted } from "./count";

export const playground = {
  playground: {
    title: "Ausprobieren",
    noModels: "Noch kein Modell zum Reden. Trainieren Sie zuerst eines.",
    sides: { a: "Modell", b: "Zweites Modell" },
    ask: "Ihre Nachricht",
    message: "Ihre Nachricht",
    send: "Senden",
    stop: "Anhalten",
    startOver: "Von vorn",
    two: "Neben einem zweiten Modell",
    one: "Nur ein Modell",
    empty: "Sagen Sie etwas. Nichts davon wird gespeichert oder zum Training verwendet.",
    settings: "Systemnachricht und Ziehung",
    system: "Systemnachricht",
    temperature: "Temperatur",
    temperatureHelp: "Teilt die Logits; mit 1 wurde das Modell trainiert.",
    longest: "Höchstens Tokens",
    seedHelp: "Der gleiche Startwert gibt die gleiche Antwort. Leer: jedes Mal ein neuer.",
    asTokens: "Als Tokens ansehen",
    stopped: "Angehalten.",
    statuses: { queued: "wartet auf einen Worker…", loading: "lädt das Modell…", running: "schreibt…" },
    facts: (tokens: number, seed: number, nats: string) =>
      `${counted(tokens, "Token", "Tokens")}, Startwert ${seed}, ${nats} Nat je Token`,
  },

  tokens: {
    title: "Tokens",
    explain: "Ein Gespräch, wie das Modell es sieht, und was es nach jedem Token erwartet.",
    show: "Tokens zeigen",
    working: "Fragt das Modell…",
    addTurn: "Beitrag hinzufügen",
    turn: (n: number) => `Beitrag ${n}`,
    roleOf: (n: number) => `Rolle von Beitrag ${n}`,
    removeTurn: (n: number) => `Beitrag ${n} entfernen`,
    count: (n: number) => counted(n, "Token", "Tokens"),
    parts: (content: number, template: number) => `${content} aus den Texten, ${template} aus der Vorlage`,
    ids: "Nummern zeigen",
    list: "Tokens; drücken Sie eines, um zu sehen, was das Modell danach erwartet",
    template: "aus der Vorlage",
    next: (text: string) => `Was nach ${text} kommt`,
    first: (id: number) => `Nummer ${id}, das erste Token`,
    about: (id: number, chance: string, rank: number, bits: string) =>
      `Nummer ${id}, Wahrscheinlichkeit ${chance}, Rang ${rank}, ${bits} Bit Überraschung`,
  },
} as const;
