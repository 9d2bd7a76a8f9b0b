/** Labeling tasks. */
import { counted } from "./count";

export const work = {
  work: {
    submit: "Submit",
    sending: "Sending…",
    skip: "Skip",
    next: "Next task",
    guideline: "Guideline",
    guidelineTitle: (version: number) => `Guideline, version ${version}`,
    plainText: "Plain text",
    saving: {
      idle: "",
      saving: "Saving…",
      saved: "Draft saved",
      offline: "Draft kept in this browser",
      lost: "Your hold has ended",
    },
    waitingForConnection: "No connection. Your answer is kept here and is sent again by itself.",
    holdEnded:
      "Your hold on this task has ended. You can still submit: if somebody else has it now, your answer is kept and marked as late.",
    getting: "Getting the next task…",
    nothingTitle: "Nothing waits",
    nothing:
      "Every task of this kind is done or in somebody's hands. New ones appear as the model writes more.",
    backHome: "Back to the start page",
    askAgain: "Look again",
    stored: {
      ranking: "Ranking stored.",
      demonstration: "Demonstration stored.",
      comparison: "Comparison stored.",
    },
    storedLate: "Stored, and marked as late: the task had gone to somebody else.",
    skipped: "Skipped.",
  },

  history: {
    title: "My answers",
    kind: "Kind",
    all: "All kinds",
    empty: "Nothing yet. What you hand in is listed here, and you can edit it.",
    today: "Today",
    inAll: "In all",
    typical: "Typical active time",
    prompt: "Prompt",
    when: "When",
    time: "Active time",
    state: "State",
    replaced: "replaced",
    replacedHelp: "This is an older revision. It is kept, and the newer one counts.",
    revision: (n: number) => `revision ${n}`,
    late: "late",
    edit: "Edit",
    answer: "Answer",
    nobody: "nobody here",
    version: (n: number) => `version ${n}`,
    editDistance: "Edited by (edit distance)",
    points: (points: number) => counted(points, "point", "points"),
    shownAs: (n: number) => `shown as number ${n}`,
  },

  skip: {
    title: "Skip this task",
    explain: "A skipped task does not come back to you. Say why, so that others can look at it.",
    reasons: {
      unclear_prompt: "The prompt is unclear",
      not_my_field: "I do not know enough about it",
      harmful: "It is harmful or upsetting",
      broken: "Something is broken or missing",
      other: "Another reason",
    },
    comment: "Comment (optional)",
  },

  lost: {
    title: "This task has gone to somebody else",
    explain:
      "The time to work on it ran out and another person has taken it. Nothing you wrote is thrown away: it is kept below.",
    otherTitle: "This task is closed for you",
    kept: "Your work",
  },

  conversation: {
    label: "Conversation",
    roles: { system: "System", user: "User", assistant: "Assistant", tool: "Tool" },
  },

  markdown: {
    empty: "(empty)",
    image: (alt: string, source: string) => `[image: ${[alt, source].filter(Boolean).join(", ")}]`,
    linkTitle: "Open this link?",
    linkWarning: "It comes from the text of a task, which nobody has checked.",
    openLink: "Open in a new tab",
  },

  ranking: {
    title: "Rank the responses",
    order: "Your order, best first",
    orderEmpty: "Nothing ranked yet. Drag a response here, or press its number and then its place.",
    unranked: "Not ranked yet",
    unrankedEmpty: "Every response is decided.",
    unacceptable: "Unacceptable",
    unacceptableEmpty: "Drop responses here that should never be given.",
    response: (n: number) => `Response ${n}`,
    length: (tokens: number | null, characters: number) =>
      [
        tokens === null ? "" : counted(tokens, "token", "tokens"),
        counted(characters, "character", "characters"),
      ]
        .filter(Boolean)
        .join(", "),
    showLengths: "Lengths",
    compare: "Compare two",
    compareTitle: "What differs",
    compareFrom: "From",
    compareTo: "to",
    moveUp: "move up",
    moveDown: "move down",
    tie: "tied",
    tieAbove: "tie with the one above",
    untie: "take out of the tie",
    takeOut: "back to not ranked",
    pick: "choose its place",
    markUnacceptable: "unacceptable",
    choosePlace: "Choose its place",
    placeAs: (place: string) => `Place ${place}`,
    tieWith: (place: string) => `Tie with ${place}`,
    tiedAt: (place: string) => `${place}, tied`,
    picked: (name: string) => `${name} picked. Press its place.`,
    dragStart: (name: string) => `${name} lifted.`,
    dragCancel: (name: string) => `${name} put back.`,
    decided: (done: number, all: number) => `${done} of ${all} decided`,
    undo: "Undo",
    likert: (points: number) => `Quality, 1 to ${points}`,
    flagsOf: (n: number) => `Flags of response ${n}`,
    rationale: "Why this order?",
    rationaleHelp: "One or two sentences help those who read the rankings.",
    confidence: "How sure are you?",
    confidences: ["Guessing", "Unsure", "Fairly sure", "Sure", "Certain"],
  },

  /** Flags are the project's own words, such as `refused_wrongly`. */
  flag: (name: string) => name.replaceAll("_", " "),

  keys: {
    button: "Keys",
    title: "Keys",
    enabled: "Shortcut keys are on",
    ranking: [
      ["1 – 9", "pick a response, then press the place it should take"],
      ["↑ ↓", "move it up or down"],
      ["=", "tie it with the one above"],
      ["0", "mark it unacceptable"],
      ["u", "undo; Ctrl Z does the same"],
      ["Esc", "put the pick down"],
      ["Enter", "submit"],
      ["?", "show these keys"],
    ] as const,
    comparison: [
      ["1  2", "the first or the second is better"],
      ["=", "equally good"],
      ["0", "both are bad"],
      ["Enter", "submit"],
      ["?", "show these keys"],
    ] as const,
  },

  demonstration: {
    title: "Write the ideal reply",
    reply: "Your reply",
    replyHelp: "Write what the assistant should say next. Markdown works.",
    userTurn: "What the user says then",
    nextReply: "Your reply to that",
    goOn: "Go on with the conversation",
    shorten: "Take the last turns back",
    policyDraft: "The model's draft",
    useDraft: "Start from this draft",
    preview: "Show how it reads",
    words: (n: number) => counted(n, "word", "words"),
    sameTitle: "Hand in the draft as it is?",
    sameExplain:
      "Your reply is the model's draft, word for word. Hand it in only if you would not change a thing.",
    sameConfirm: "It is right as it is",
    keepEditing: "Keep editing",
  },

  comparison: {
    title: "Which response is better?",
    question: "Which response is better?",
    better: (n: number) => `Response ${n} is better`,
    tie: "Equally good",
    bothBad: "Both are bad",
    undecided: "Not decided yet",
    decided: "Decided",
    rationale: "Why?",
    rationaleHelp: "One or two sentences help those who read the comparisons.",
  },
} as const;
