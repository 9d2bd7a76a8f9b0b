/** Every English sentence on the screens, in one place: another language is another file of this shape. */

const ORDINALS = new Intl.PluralRules("en", { type: "ordinal" });
const SUFFIXES: Record<string, string> = { one: "st", two: "nd", few: "rd", other: "th" };

function ordinal(n: number): string {
  return `${n}${SUFFIXES[ORDINALS.select(n)] ?? "th"}`;
}

function counted(n: number, one: string, many: string): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

const ACRONYMS: Record<string, string> = {
  bf16: "bf16",
  ece: "ECE",
  eos: "EOS",
  gae: "GAE",
  kl: "KL",
  lora: "LoRA",
};

const KINDS: Record<string, string> = {
  pretrain: "Pretrain",
  sft: "Fine-tune (SFT)",
  sample: "Sample rollouts",
  reward_model: "Reward model",
  ppo: "PPO",
  evaluate: "Evaluate",
};

export const t = {
  ordinal,
  counted,

  common: {
    loading: "Loading…",
    retry: "Try again",
    cancel: "Cancel",
    close: "Close",
    copy: "Copy",
    copied: "Copied",
    save: "Save",
    saving: "Saving…",
    saved: "Saved",
    create: "Create",
    more: "Show more",
    yes: "yes",
    no: "no",
  },

  nav: {
    skip: "Skip to content",
    main: "Main",
    home: "Labeling",
    runs: "Runs",
    checkpoints: "Checkpoints",
    projects: "Projects",
    people: "People",
    signOut: "Sign out",
    theme: { system: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" },
    project: "Project",
  },

  roles: { labeler: "Labeler", reviewer: "Reviewer", engineer: "Engineer", admin: "Admin" },

  errors: {
    offline: "The server cannot be reached. Check the connection.",
    boundaryTitle: "This page stopped working",
    boundaryHelp: "What you wrote is kept. Reload the page to go on.",
    reload: "Reload",
    notFound: "There is no such page.",
    notFoundHome: "Go to the start page",
    forbidden: "Your role does not open this page.",
  },

  signIn: {
    title: "Sign in",
    username: "User name",
    password: "Password",
    submit: "Sign in",
    pending: "Signing in…",
  },

  home: {
    greeting: (name: string) => `Good to see you, ${name}`,
    noProjects: "You are in no project yet. An admin can add you to one.",
    today: "answers today",
    total: (n: number) => `${n.toLocaleString("en")} in all`,
    waiting: {
      ranking: "to rank",
      demonstration: "to write",
      comparison: "to compare",
    },
    start: {
      ranking: "Rank",
      demonstration: "Write",
      comparison: "Compare",
    },
  },

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
      lost: "Draft not on the server",
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

  /** Names of kinds, options and measures are the server's own words, such as `reward_model`. */
  words: (name: string) => {
    const words = name
      .split(/[_ ]/)
      .map((word) => ACRONYMS[word] ?? word)
      .join(" ")
      .replaceAll("/", ": ");
    return words.charAt(0).toUpperCase() + words.slice(1);
  },

  kind: (kind: string) => KINDS[kind] ?? kind.replaceAll("_", " "),

  runs: {
    title: "Runs",
    all: "All runs",
    start: "Start a run",
    empty: "No runs yet. Start one: pretrain a base model, or fine-tune on demonstrations.",
    name: "Name",
    kind: "Kind",
    status: "Status",
    created: "Created",
    took: "Took",
    seed: "Seed",
    attempt: "Attempt",
    facts: "About this run",
    config: "Config",
    progress: "Progress",
    progressOf: (name: string) => `Progress of ${name}`,
    cancel: "Cancel",
    cancelling: "cancelling",
    resume: "Resume",
    again: "Start one like it",
    checkpoint: "Checkpoint",
    openCheckpoint: "Open the checkpoint",
    metrics: "Metrics by step",
    allMetrics: (n: number) => `Show all ${n} metrics`,
    samples: "Samples on the way",
    sampleAt: (step: number) => `Step ${step.toLocaleString("en")}`,
    rollouts: "Rollouts",
    noRollouts: "This run made no rollouts.",
    rollout: (policy: string, index: number, tokens: number) =>
      `${policy}, rollout ${index}, ${counted(tokens, "token", "tokens")}`,
    score: (score: string) => `score ${score}`,
    log: "Log",
    wholeLog: "Show the whole log",
    statuses: {
      queued: "queued",
      running: "running",
      succeeded: "succeeded",
      failed: "failed",
      cancelled: "cancelled",
    },
  },

  newRun: {
    title: "Start a run",
    inputs: "Inputs",
    options: "Options",
    start: "Start the run",
    starting: "Starting…",
    seedHelp: "Leave empty for a random one; it is stored either way.",
    nameHelp: "Leave empty for a name by kind and number.",
    obvious: "The only one that fits",
    choose: "Choose one…",
    freezeNow: "The project's data as of now",
    none: "None",
    hub: "Hugging Face name or directory",
    hubExample: "Qwen/Qwen3-0.6B",
    snapshot: (rows: number, hash: string, date: string) =>
      `${counted(rows, "row", "rows")}, ${hash}, ${date}`,
    range: { above: "above", least: "at least", most: "at most" },
  },

  report: {
    title: "Report",
    accuracy: "Reward model, held-out pairs",
    lengthBaseline: "By length alone",
    ceiling: "Two people agree",
    interval: (low: string, high: string) => `${low} – ${high}`,
  },

  checkpoints: {
    title: "Checkpoints",
    all: "All checkpoints",
    one: "Checkpoint",
    empty: "No checkpoints yet. Every run that succeeds makes one.",
    name: "Name",
    kind: "Kind",
    parents: "Made from",
    created: "Created",
    run: "Run",
    openRun: "Open the run",
    hash: "Manifest",
    lineage: "Where it came from, and what came of it",
    group: (n: number, type: string) => `${n} ${type}s`,
    madeFrom: (names: string) => `made from ${names}`,
  },

  people: {
    title: "People",
    person: "Person",
    username: "User name",
    name: "Name",
    password: "Password",
    passwordHelp: "At least 8 characters. Tell it to the person yourself.",
    role: "Role",
    roleOf: (username: string) => `Role of ${username}`,
    state: "State",
    active: "active",
    inactive: "inactive",
    activate: "Activate",
    deactivate: "Deactivate",
    actions: "Actions",
    add: "Add a person",
    create: "Create the account",
    added: (username: string) => `${username} can sign in now.`,
  },

  projects: {
    title: "Projects",
    empty: "No projects yet.",
    add: "Add a project",
    create: "Create the project",
    name: "Name",
    slug: "Address",
    slugHelp: "Lower-case letters, digits and hyphens. It stays as it is.",
    description: "Description",
    settings: "Settings",
    save: "Save settings",
    asked: "What labelers may do and are asked",
    fields: {
      name: "Name",
      description: "Description",
      k: "Responses a task",
      overlap: "Labelers a task",
      lease_seconds: "Hold on a task, seconds",
      likert_points: "Quality scale, points",
      hourly_rate: "Hourly rate",
      flags: "Flags",
    },
    help: {
      name: "",
      description: "",
      k: "How many responses are ranked together.",
      overlap: "How many people answer each task.",
      lease_seconds: "A task returns to the queue after so long without work on it.",
      likert_points: "0 asks for no scores.",
      hourly_rate: "For cost figures; empty where nobody is paid by the hour.",
      flags: "Separated by commas, such as: harmful, pii",
    },
    switches: {
      allow_ties: "Ties",
      allow_partial: "Partial rankings",
      allow_unacceptable: "Unacceptable responses",
      ask_rationale: "Ask why",
      ask_confidence: "Ask how sure",
    },
    guidelineText: "Text",
    guidelineHelp: "Markdown. Publishing makes a new version; answers keep the one they followed.",
    publishGuideline: "Publish a new version",
    members: "Members",
    addMember: "Add to the project",
    remove: "Remove",
    removeMember: (username: string) => `Remove ${username}`,
    progress: "Progress",
    tasks: "Tasks",
    states: { open: "Open", leased: "In work", done: "Done", halted: "Halted" },
    kinds: { ranking: "Rankings", demonstration: "Demonstrations", comparison: "Comparisons" },
    labeler: "Labeler",
    minutes: "Minutes",
    import: "Import",
    importing: "Importing…",
    file: "File",
    fileHelp: "Prompts, demonstrations, rankings, or pairs; the format is recognized.",
    dryRun: "Only count, store nothing",
    imported: (format: string) => `Imported as ${format}.`,
    wouldImport: (format: string) => `Recognized as ${format}. Nothing was stored.`,
    importCounts: (stored: string, duplicates: string, refused: string) =>
      `${stored} new, ${duplicates} known already, ${refused} refused`,
  },
} as const;
