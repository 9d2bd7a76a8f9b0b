/** Einladungen: aussprechen und annehmen. */

export const invitations = {
  invitations: {
    title: "Einladungen",
    invite: "Jemanden einladen",
    empty: "Noch niemand wurde mit einem Link eingeladen.",
    explain:
      "Sie erhalten einen Link. Wer ihn öffnet, legt ein Konto an oder meldet sich an und ist im Projekt.",
    anybody: "wer den Link hat",
    states: { open: "offen", accepted: "angenommen", revoked: "zurückgezogen", expired: "abgelaufen" },
    until: (time: string) => `bis ${time}`,
    worksUntil: (time: string) => `Der Link gilt bis ${time}.`,
    by: (name: string) => `von ${name}`,
    acceptedBy: (name: string, time: string) => `${name} ist beigetreten, ${time}`,
    revoke: "Zurückziehen",
    revokeOne: (whom: string) => `Einladung von ${whom} zurückziehen`,
    roleHelp: {
      labeler: "Schreibt, ordnet und vergleicht.",
      reviewer: "Sieht auch die Übereinstimmung und entscheidet, worüber man uneins ist.",
      engineer: "Importiert und exportiert auch Daten und trainiert.",
      admin: "Ändert auch das Projekt und wer darin ist.",
    },
    email: "E-Mail-Adresse",
    emailHelp: "Nicht nötig. Sie sagt, für wen der Link ist.",
    days: "Gilt für",
    daysOf: (days: number) => (days === 1 ? "1 Tag" : `${days} Tage`),
    make: "Link anlegen",
    link: "Der Link",
    once: "Er gilt einmal. Kopieren Sie ihn jetzt: Er wird nicht noch einmal gezeigt.",
    mailed: (email: string) => `Der Link ist unterwegs an ${email}.`,
    notMailed: (email: string) =>
      `Die E-Mail an ${email} konnte nicht gesendet werden. Geben Sie den Link selbst weiter.`,
    pageTitle: "Sie sind eingeladen",
    invitesYou: (by: string, project: string, role: string) =>
      `${by} lädt Sie in das Projekt „${project}“ ein. Ihre Rolle dort: ${role}.`,
    joinAs: (name: string) => `Als ${name} beitreten`,
    anotherAccount: "Anderes Konto verwenden",
    haveAccount: "Ich habe schon ein Konto",
    makeAccount: "Ich habe noch kein Konto",
    usernameHelp: "Buchstaben, Ziffern und @ . + - _",
    nameHelp: "So sehen andere Sie. Darf leer bleiben.",
    passwordHelp: "Mindestens 8 Zeichen.",
    createAndJoin: "Konto anlegen und beitreten",
    signInAndJoin: "Anmelden und beitreten",
  },
};
