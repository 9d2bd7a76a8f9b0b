/** Aufgaben. */
import { counted } from "./count";

export const work = {
  work: {
    submit: "Abgeben",
    sending: "Sendet…",
    skip: "Überspringen",
    next: "Nächste Aufgabe",
    guideline: "Richtlinie",
    guidelineTitle: (version: number) => `Richtlinie, Fassung ${version}`,
    plainText: "Reiner Text",
    saving: {
      idle: "",
      saving: "Speichert…",
      saved: "Entwurf gesichert",
      offline: "Entwurf in diesem Browser gesichert",
      lost: "Ihre Frist ist vorbei",
    },
    waitingForConnection:
      "Keine Verbindung. Ihre Antwort bleibt hier und wird von selbst noch einmal gesendet.",
    holdEnded:
      "Ihre Frist für diese Aufgabe ist vorbei. Sie können trotzdem abgeben: Hat sie inzwischen jemand anderes, wird Ihre Antwort behalten und als verspätet vermerkt.",
    getting: "Holt die nächste Aufgabe…",
    nothingTitle: "Nichts wartet",
    nothing:
      "Alle Aufgaben dieser Art sind erledigt oder in Arbeit. Neue kommen, wenn das Modell mehr schreibt.",
    backHome: "Zur Startseite",
    askAgain: "Noch einmal nachsehen",
    stored: {
      ranking: "Rangfolge gespeichert.",
      demonstration: "Musterantwort gespeichert.",
      comparison: "Vergleich gespeichert.",
    },
    storedLate: "Gespeichert und als verspätet vermerkt: Die Aufgabe war schon bei jemand anderem.",
    skipped: "Übersprungen.",
  },

  history: {
    title: "Meine Antworten",
    kind: "Art",
    all: "Alle Arten",
    empty: "Noch nichts. Was Sie abgeben, steht hier, und Sie können es ändern.",
    today: "Heute",
    inAll: "Insgesamt",
    typical: "Übliche Arbeitszeit",
    prompt: "Frage",
    when: "Wann",
    time: "Arbeitszeit",
    state: "Stand",
    replaced: "ersetzt",
    replacedHelp: "Dies ist eine ältere Fassung. Sie bleibt erhalten; die neuere zählt.",
    revision: (n: number) => `Fassung ${n}`,
    late: "verspätet",
    edit: "Ändern",
    answer: "Antwort",
    nobody: "niemand von hier",
    version: (n: number) => `Fassung ${n}`,
    editDistance: "Geändert um (Editierdistanz)",
    points: (points: number) => counted(points, "Punkt", "Punkte"),
    shownAs: (n: number) => `gezeigt als Nummer ${n}`,
  },

  skip: {
    title: "Diese Aufgabe überspringen",
    explain:
      "Eine übersprungene Aufgabe kommt nicht zu Ihnen zurück. Sagen Sie, warum, damit andere nachsehen können.",
    reasons: {
      unclear_prompt: "Die Frage ist unklar",
      not_my_field: "Ich weiß zu wenig darüber",
      harmful: "Sie ist schädlich oder verstörend",
      broken: "Etwas ist kaputt oder fehlt",
      other: "Ein anderer Grund",
    },
    comment: "Bemerkung (freiwillig)",
  },

  lost: {
    title: "Diese Aufgabe ist bei jemand anderem",
    explain:
      "Die Zeit dafür war abgelaufen, und jemand anderes hat sie übernommen. Nichts von Ihrem Text geht verloren: Er steht unten.",
    otherTitle: "Diese Aufgabe ist für Sie geschlossen",
    kept: "Ihre Arbeit",
  },

  conversation: {
    label: "Gespräch",
    roles: { system: "System", user: "Mensch", assistant: "Assistent", tool: "Werkzeug" },
  },

  markdown: {
    empty: "(leer)",
    image: (alt: string, source: string) => `[Bild: ${[alt, source].filter(Boolean).join(", ")}]`,
    linkTitle: "Diesen Link öffnen?",
    linkWarning: "Er kommt aus dem Text einer Aufgabe, den niemand geprüft hat.",
    openLink: "In neuem Tab öffnen",
  },

  ranking: {
    title: "Antworten ordnen",
    order: "Ihre Reihenfolge, die beste zuerst",
    orderEmpty:
      "Noch nichts geordnet. Ziehen Sie eine Antwort hierher, oder drücken Sie ihre Nummer und dann ihren Platz.",
    unranked: "Noch nicht geordnet",
    unrankedEmpty: "Über jede Antwort ist entschieden.",
    unacceptable: "Unannehmbar",
    unacceptableEmpty: "Hierher gehören Antworten, die es nie geben sollte.",
    response: (n: number) => `Antwort ${n}`,
    length: (tokens: number | null, characters: number) =>
      [tokens === null ? "" : counted(tokens, "Token", "Tokens"), counted(characters, "Zeichen", "Zeichen")]
        .filter(Boolean)
        .join(", "),
    showLengths: "Längen",
    compare: "Zwei vergleichen",
    compareTitle: "Was sich unterscheidet",
    compareFrom: "Von",
    compareTo: "zu",
    moveUp: "nach oben",
    moveDown: "nach unten",
    tie: "gleich",
    tieAbove: "gleich mit der darüber",
    untie: "aus dem Gleichstand nehmen",
    takeOut: "zurück zu den nicht geordneten",
    pick: "Platz wählen",
    markUnacceptable: "unannehmbar",
    choosePlace: "Platz wählen",
    placeAs: (place: string) => `${place} Platz`,
    tieWith: (place: string) => `Gleich mit dem ${place} Platz`,
    tiedAt: (place: string) => `${place} Platz, gleich`,
    picked: (name: string) => `${name} gewählt. Drücken Sie ihren Platz.`,
    dragStart: (name: string) => `${name} angehoben.`,
    dragCancel: (name: string) => `${name} zurückgelegt.`,
    decided: (done: number, all: number) => `${done} von ${all} entschieden`,
    undo: "Rückgängig",
    likert: (points: number) => `Güte, 1 bis ${points}`,
    flagsOf: (n: number) => `Vermerke zu Antwort ${n}`,
    rationale: "Warum diese Reihenfolge?",
    rationaleHelp: "Ein oder zwei Sätze helfen denen, die die Rangfolgen lesen.",
    confidence: "Wie sicher sind Sie?",
    confidences: ["Geraten", "Unsicher", "Ziemlich sicher", "Sicher", "Ganz sicher"],
  },

  flag: (name: string) => name.replaceAll("_", " "),

  keys: {
    button: "Tasten",
    title: "Tasten",
    enabled: "Tastenkürzel sind an",
    ranking: [
      ["1 – 9", "eine Antwort wählen, dann den Platz drücken, den sie haben soll"],
      ["↑ ↓", "nach oben oder unten schieben"],
      ["=", "mit der darüber gleichstellen"],
      ["0", "als unannehmbar vermerken"],
      ["u", "rückgängig; Strg Z tut dasselbe"],
      ["Esc", "die gewählte ablegen"],
      ["Enter", "abgeben"],
      ["?", "diese Tasten zeigen"],
    ],
    comparison: [
      ["1  2", "die erste oder die zweite ist besser"],
      ["=", "gleich gut"],
      ["0", "beide sind schlecht"],
      ["Enter", "abgeben"],
      ["?", "diese Tasten zeigen"],
    ],
  },

  demonstration: {
    title: "Die ideale Antwort schreiben",
    reply: "Ihre Antwort",
    replyHelp: "Schreiben Sie, was der Assistent als Nächstes sagen soll. Markdown geht.",
    userTurn: "Was der Mensch darauf sagt",
    nextReply: "Ihre Antwort darauf",
    goOn: "Das Gespräch fortsetzen",
    shorten: "Die letzten Beiträge zurücknehmen",
    policyDraft: "Der Entwurf des Modells",
    useDraft: "Mit diesem Entwurf beginnen",
    preview: "Zeigen, wie es sich liest",
    words: (n: number) => counted(n, "Wort", "Wörter"),
    sameTitle: "Den Entwurf unverändert abgeben?",
    sameExplain:
      "Ihre Antwort ist Wort für Wort der Entwurf des Modells. Geben Sie ihn nur ab, wenn Sie nichts daran ändern würden.",
    sameConfirm: "Er ist richtig, wie er ist",
    keepEditing: "Weiter bearbeiten",
  },

  comparison: {
    title: "Welche Antwort ist besser?",
    question: "Welche Antwort ist besser?",
    better: (n: number) => `Antwort ${n} ist besser`,
    tie: "Gleich gut",
    bothBad: "Beide sind schlecht",
    undecided: "Noch nicht entschieden",
    decided: "Entschieden",
    rationale: "Warum?",
    rationaleHelp: "Ein oder zwei Sätze helfen denen, die die Vergleiche lesen.",
  },
} as const;
