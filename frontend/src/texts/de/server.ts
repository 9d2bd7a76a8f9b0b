/** Was der Server auf Englisch sagt, auf Deutsch. Ein Satz, der hier fehlt, bleibt, wie er ist. */

const sentences: Readonly<Record<string, string>> = {
  // Ganze Sätze.
  "This cannot be done.": "Das geht nicht.",
  "Something that was sent is not right.": "Etwas von dem, was gesendet wurde, stimmt nicht.",
  "Sign in, or send a token that works.": "Melden Sie sich an, oder senden Sie ein gültiges Token.",
  "Your role does not allow this.": "Ihre Rolle erlaubt das nicht.",
  "There is no such thing.": "Das gibt es nicht.",
  "There is no such project.": "Dieses Projekt gibt es nicht.",
  "This does not fit the present state.": "Das passt nicht zum jetzigen Stand.",
  "You do not belong to this project.": "Sie gehören nicht zu diesem Projekt.",
  "Your work in this project is paused. What you hold can be finished; an admin can let you go on.":
    "Ihre Arbeit in diesem Projekt ruht. Was Sie begonnen haben, können Sie beenden; weitermachen lässt Sie die Verwaltung.",
  "There is no lease with this token.": "Diese Aufgabe wurde Ihnen nicht zugeteilt.",
  "This lease belongs to somebody else.": "Diese Aufgabe gehört jemand anderem.",
  "Your time ran out and somebody else has this task now. Your draft is kept; a late submission is kept too.":
    "Ihre Zeit ist abgelaufen, und jemand anderes hat die Aufgabe jetzt. Ihr Entwurf bleibt; eine späte Antwort auch.",
  "You have answered this task; edit that answer instead.":
    "Sie haben diese Aufgabe schon beantwortet; ändern Sie jene Antwort.",
  "You have skipped this task.": "Sie haben diese Aufgabe übersprungen.",
  "This lease is for another kind of task.": "Zugeteilt wurde eine Aufgabe anderer Art.",
  "This answer is somebody else's.": "Diese Antwort ist von jemand anderem.",
  "This answer has a newer revision; edit that one.":
    "Von dieser Antwort gibt es eine neuere Fassung; ändern Sie jene.",
  "This idempotency key came before with another body.": "Unter diesem Schlüssel kam schon etwas anderes.",
  "This project is closed; nothing is handed out or taken.":
    "Dieses Projekt ist geschlossen; es gibt und nimmt keine Arbeit.",
  "This project is archived; nobody joins it any more.":
    "Dieses Projekt ist archiviert; niemand tritt mehr bei.",
  "The reply is the policy's draft, unchanged. Confirm that it is ideal as it is.":
    "Die Antwort ist der unveränderte Entwurf. Bestätigen Sie, dass er so ideal ist.",
  "Too many attempts failed. Wait a while.": "Zu viele Versuche sind fehlgeschlagen. Warten Sie eine Weile.",
  "The username or the password is wrong.": "Der Name oder das Kennwort ist falsch.",
  "Sign in from this site's own page.": "Melden Sie sich auf der Seite dieses Servers an.",
  "This username is taken.": "Dieser Name ist vergeben.",
  "This slug is taken.": "Diese Kennung ist vergeben.",
  "This token is unknown or revoked.": "Dieses Token ist unbekannt oder zurückgezogen.",
  "The request is larger than this server takes.": "Die Anfrage ist größer, als dieser Server annimmt.",
  "This request is larger than the server takes.": "Die Anfrage ist größer, als dieser Server annimmt.",
  "The request broke off.": "Die Anfrage brach ab.",
  "This route does not take this method.": "So wird diese Adresse nicht gefragt.",
  "The API has no such route.": "Diese Adresse gibt es nicht.",
  "You are in this project already; an admin can change your role there.":
    "Sie sind schon in diesem Projekt; Ihre Rolle kann die Verwaltung ändern.",
  "This invitation has expired. Ask for a new one.":
    "Diese Einladung ist abgelaufen. Bitten Sie um eine neue.",
  "This invitation was taken back. Ask for a new one.":
    "Diese Einladung wurde zurückgezogen. Bitten Sie um eine neue.",
  "There is no invitation with this link. Check that all of it was copied.":
    "Zu diesem Link gibt es keine Einladung. Prüfen Sie, ob er ganz kopiert ist.",
  "This invitation was used. If it was you who did, sign in.":
    "Diese Einladung wurde verwendet. Falls von Ihnen, melden Sie sich an.",
  "Somebody has joined by this invitation; remove the member.":
    "Mit dieser Einladung ist jemand beigetreten; entfernen Sie das Mitglied.",
  "Sign out first to make another account.": "Melden Sie sich zuerst ab, um ein anderes Konto anzulegen.",
  "Somebody has to stay admin.": "Jemand muss die Verwaltung behalten.",
  "An admin is no labeler; give them another role first.":
    "Wer verwaltet, bewertet nicht; geben Sie zuerst eine andere Rolle.",
  "This case is closed already.": "Dieser Fall ist schon abgeschlossen.",
  "Nobody has ranked this item.": "Dazu gibt es keine Rangfolge.",
  "No labeler's reliability is known yet: have the project measured once several people rank the same items.":
    "Noch ist keine Zuverlässigkeit bekannt: Lassen Sie messen, sobald mehrere dasselbe geordnet haben.",
  "Only an ordinary task that is not under review can become gold.":
    "Nur eine gewöhnliche Aufgabe, die nicht geprüft wird, kann Kontrollaufgabe werden.",
  "This gold item is retired already.": "Diese Kontrollaufgabe ist schon außer Dienst.",
  "A filter is wrong.": "Ein Filter stimmt nicht.",
  "The project has no such corpus.": "Das Projekt hat keinen solchen Korpus.",
  "Prompts of evaluation sets are neither labeled nor trained on.":
    "Prompts aus Prüfsätzen werden weder bewertet noch zum Training verwendet.",
  "Its prompt is of an evaluation set, or erased.": "Der Prompt gehört zu einem Prüfsatz oder ist gelöscht.",
  "This import was started already, or cancelled.": "Dieser Import wurde schon begonnen oder abgebrochen.",
  "This import was started already.": "Dieser Import wurde schon begonnen.",
  "This import was cancelled, or another process goes on with it.":
    "Dieser Import wurde abgebrochen, oder ein anderer Prozess führt ihn weiter.",
  "This file is here as a whole already.": "Diese Datei ist schon ganz da.",
  "The run was refused; nothing was queued.": "Der Lauf wurde abgelehnt; nichts steht an.",
  "There is no such run.": "Diesen Lauf gibt es nicht.",
  "There is no such checkpoint.": "Diesen Checkpoint gibt es nicht.",
  "There is no such round.": "Diese Runde gibt es nicht.",
  "There is no such request, or it was a day ago.":
    "Diese Anfrage gibt es nicht, oder sie ist einen Tag her.",
  "Several requests of yours wait already; wait for them or cancel them.":
    "Mehrere Ihrer Anfragen warten schon; warten Sie, oder brechen Sie sie ab.",
  "The run has ended already.": "Der Lauf ist schon zu Ende.",
  "Only a failed or cancelled run can be resumed.":
    "Nur ein gescheiterter oder abgebrochener Lauf lässt sich fortsetzen.",
  "The run has no output to download: it has not succeeded, or its files are not on this machine.":
    "Der Lauf hat nichts zum Herunterladen: Er ist nicht gelungen, oder seine Dateien liegen nicht auf dieser Maschine.",
  "Only an evaluate run that has succeeded and had a reference policy can be compared by people.":
    "Nur ein gelungener Lauf der Art evaluate mit einer Vergleichspolicy kann von Menschen verglichen werden.",
  "The project has an open round; close it first.":
    "Das Projekt hat eine offene Runde; schließen Sie sie zuerst.",
  "The round waits for its run.": "Die Runde wartet auf ihren Lauf.",
  "Somebody else has moved the round meanwhile; look at it again.":
    "Jemand anderes hat die Runde inzwischen weitergeführt; sehen Sie sie noch einmal an.",
  // Was bei einem Feld steht.
  "is missing": "fehlt",
  "is empty": "ist leer",
  "is taken": "ist vergeben",
  "is unknown": "ist unbekannt",
  "is not a known field": "ist kein bekanntes Feld",
  "is not asked in this project": "wird in diesem Projekt nicht gefragt",
  "is not allowed in this project": "ist in diesem Projekt nicht erlaubt",
  "is not one of yours": "gehört Ihnen nicht",
  "is nobody here": "ist hier niemand",
  "is not JSON": "ist kein JSON",
  "is not UTF-8 text": "ist kein UTF-8-Text",
  "is not an e-mail address": "ist keine E-Mail-Adresse",
  "comes twice": "kommt zweimal vor",
  "contains a NUL or half a surrogate pair": "enthält ein Zeichen, das nicht gespeichert werden kann",
  "holds a character that cannot be stored": "enthält ein Zeichen, das nicht gespeichert werden kann",
  "belongs to somebody else": "gehört jemand anderem",
  "decides nothing": "entscheidet nichts",
  "has paused your work": "lässt Ihre Arbeit ruhen",
  "must be an object": "muss ein Objekt sein",
  "must be a JSON object": "muss ein JSON-Objekt sein",
  "must be a text": "muss ein Text sein",
  "must be a list of texts": "muss eine Liste von Texten sein",
  "must be a whole number": "muss eine ganze Zahl sein",
  "must be a finite number": "muss eine endliche Zahl sein",
  "must be true or false": "muss wahr oder falsch sein",
  "must be a number from 0 to 1, or null": "muss eine Zahl von 0 bis 1 sein, oder leer",
  "must be codes of two letters, such as en": "müssen Kürzel aus zwei Buchstaben sein, etwa de",
  "must be an http or https address": "muss eine Adresse mit http oder https sein",
  "must be an amount of money an hour": "muss ein Geldbetrag je Stunde sein",
  "must be the project's slug, to archive it": "muss zum Archivieren die Kennung des Projekts sein",
  "must be one of the two responses, tie or both_bad":
    "muss eine der beiden Antworten sein, tie oder both_bad",
  "must be true to submit the draft unchanged": "muss wahr sein, um den Entwurf unverändert abzugeben",
  "must not be above the window": "darf nicht über dem Fenster liegen",
  "must end with the assistant's reply": "muss mit der Antwort des Assistenten enden",
  "must not end with the assistant, whose reply is wanted":
    "darf nicht mit dem Assistenten enden, dessen Antwort gesucht ist",
  "must count from 1 without gaps; responses that tie share a rank":
    "muss ab 1 ohne Lücken zählen; gleich gute teilen sich einen Rang",
  "has ties, which this project does not allow": "stellt Antworten gleich, was dieses Projekt nicht erlaubt",
  "names a response twice": "nennt eine Antwort zweimal",
  "names a response that is ranked too": "nennt eine Antwort, die auch einen Rang hat",
  "ties everything, so nobody could be wrong": "stellt alle gleich, so dass niemand irren könnte",
  "compares a source with itself": "vergleicht eine Quelle mit sich selbst",
  "and gold_share must not be above 1 together": "und gold_share dürfen zusammen nicht über 1 liegen",
  "expired, and the slot went to somebody else or was withdrawn":
    "ist abgelaufen, und der Platz ging an jemand anderen oder wurde zurückgezogen",
};

const patterns: readonly (readonly [RegExp, string])[] = [
  [/^must be one of (.+), or empty$/, "muss eines sein von $1, oder leer"],
  [/^must be one of (.+)$/, "muss eines sein von $1"],
  [/^must be from (\S+) to (\S+)$/, "muss von $1 bis $2 sein"],
  [/^must be a number from (\S+) to (\S+)$/, "muss eine Zahl von $1 bis $2 sein"],
  [/^must be a whole number from (\S+)$/, "muss eine ganze Zahl ab $1 sein"],
  [/^must be above (\S+), found (.+)$/, "muss über $1 liegen, ist $2"],
  [/^must be (\S+) or (\S+)$/, "muss $1 oder $2 sein"],
  [/^has (\d+) characters; at most (\d+) are taken$/, "hat $1 Zeichen; höchstens $2 werden angenommen"],
  [/^is larger than (.+)$/, "ist größer als $1"],
  [/^leaves (\d+) of (\d+) undecided$/, "lässt $1 von $2 unentschieden"],
  [/^'(.*)' is not a response of this task$/, "„$1“ ist keine Antwort dieser Aufgabe"],
  [/^'(.*)' is not one of (.+)$/, "„$1“ ist keines von $2"],
  [/^'(.*)' is not a flag here; known: (.+)$/, "„$1“ ist hier keine Markierung; bekannt: $2"],
  [/^The role (\S+) may not do this: (\S+)\.$/, "Die Rolle $1 darf das nicht: $2."],
  [/^The CSRF check failed: (.+)$/, "Die CSRF-Prüfung schlug fehl: $1"],
  [/^The body is not JSON: (.+)$/, "Das Gesendete ist kein JSON: $1"],
  [
    /^The project has no (\S+) that these filters take\.$/,
    "Das Projekt hat keine $1, die zu diesen Filtern passen.",
  ],
  [/^A project has (\d+) webhooks at most\.$/, "Ein Projekt hat höchstens $1 Webhooks."],
  [
    /^A project has (\d+) gold items at most; retire some\.$/,
    "Ein Projekt hat höchstens $1 Kontrollaufgaben.",
  ],
];

export const server = {
  said: (sentence: string): string => {
    const whole = sentences[sentence];
    if (whole !== undefined) return whole;
    const found = patterns.find(([pattern]) => pattern.test(sentence));
    return found ? sentence.replace(found[0], found[1]) : sentence;
  },
};
