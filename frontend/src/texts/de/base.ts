/** Der Rahmen jeder Seite, das Anmelden und die Startseite. */

export const base = {
  common: {
    loading: "Lädt…",
    retry: "Noch einmal versuchen",
    cancel: "Abbrechen",
    close: "Schließen",
    copy: "Kopieren",
    copied: "Kopiert",
    save: "Speichern",
    saving: "Speichert…",
    saved: "Gespeichert",
    create: "Anlegen",
    more: "Mehr zeigen",
    yes: "ja",
    no: "nein",
  },

  nav: {
    skip: "Zum Inhalt springen",
    main: "Hauptmenü",
    home: "Bewerten",
    area: { labeling: "Meine Antworten", models: "Modelle", quality: "Qualität", project: "Projekt" },
    pages: "Seiten",
    page: {
      mine: "Meine Antworten",
      runs: "Läufe",
      rounds: "Runden",
      checkpoints: "Modellstände",
      rollouts: "Rollouts",
      playground: "Ausprobieren",
      tokens: "Tokens",
      quality: "Übereinstimmung",
      statistics: "Statistik",
      review: "Prüfung",
      data: "Import und Export",
      settings: "Einstellungen",
      audit: "Protokoll",
    },
    account: "Ihr Konto",
    projects: "Projekte",
    people: "Personen",
    signOut: "Abmelden",
    theme: { system: "Farben: wie das System", light: "Farben: hell", dark: "Farben: dunkel" },
    project: "Projekt",
  },

  roles: { labeler: "Bewertet", reviewer: "Prüft", engineer: "Entwickelt", admin: "Verwaltet" },

  errors: {
    offline: "Der Server ist nicht erreichbar. Bitte die Verbindung prüfen.",
    boundaryTitle: "Diese Seite funktioniert gerade nicht",
    boundaryHelp: "Ihr Text ist nicht verloren. Laden Sie die Seite neu, um weiterzumachen.",
    reload: "Neu laden",
    notFound: "Diese Seite gibt es nicht.",
    notFoundHome: "Zur Startseite",
    forbidden: "Ihre Rolle öffnet diese Seite nicht.",
  },

  tour: {
    at: (step: number, all: number) => `Schritt ${step} von ${all}`,
    next: "Weiter",
    back: "Zurück",
    done: "Los",
    steps: [
      {
        title: "Die Richtlinie lesen",
        text: "Jedes Projekt sagt, was in ihm gut ist. Die Richtlinie ist einen Klick entfernt, hier und neben jeder Aufgabe.",
      },
      {
        title: "Ordnen mit der Hand oder mit Tasten",
        text: "Ziehen Sie Antworten in eine Reihenfolge, oder drücken Sie die Nummer einer Antwort und dann ihren Platz. = stellt gleich, 0 heißt unannehmbar, Enter gibt ab, ? zeigt alle Tasten.",
      },
      {
        title: "Nichts geht verloren",
        text: "Entwürfe werden beim Arbeiten gesichert, hier und auf dem Server. Sie können rückgängig machen, mit Begründung überspringen und Ihre Antworten später ändern.",
      },
    ],
  },

  signIn: {
    title: "Anmelden",
    username: "Benutzername",
    password: "Passwort",
    submit: "Anmelden",
    pending: "Meldet an…",
  },

  home: {
    greeting: (name: string) => `Schön, dass Sie da sind, ${name}`,
    noProjects: "Sie sind noch in keinem Projekt. Wer verwaltet, kann Sie aufnehmen.",
    today: "Antworten heute",
    total: (n: number) => `${n.toLocaleString("de")} insgesamt`,
    waiting: { ranking: "zu ordnen", demonstration: "zu schreiben", comparison: "zu vergleichen" },
    start: { ranking: "Ordnen", demonstration: "Schreiben", comparison: "Vergleichen" },
  },
} as const;
