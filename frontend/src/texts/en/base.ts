/** The frame of every page, signing in, and the start page. */

export const base = {
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
    area: { labeling: "My answers", models: "Models", quality: "Quality", project: "Project" },
    pages: "Pages",
    page: {
      mine: "My answers",
      runs: "Runs",
      rounds: "Rounds",
      checkpoints: "Checkpoints",
      rollouts: "Rollouts",
      playground: "Playground",
      tokens: "Tokens",
      quality: "Agreement and labelers",
      statistics: "Statistics",
      review: "Review",
      data: "Import and export",
      settings: "Settings",
      audit: "Audit log",
    },
    account: "Your account",
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

  tour: {
    at: (step: number, all: number) => `Step ${step} of ${all}`,
    next: "Next",
    back: "Back",
    done: "Start",
    steps: [
      {
        title: "Read the guideline",
        text: "Each project says what is good in it. Its guideline is one press away, here and beside every task.",
      },
      {
        title: "Rank by hand or by keys",
        text: "Drag responses into order, or press a response's number and then its place. = ties, 0 marks one as unacceptable, Enter hands in, ? shows all keys.",
      },
      {
        title: "Nothing is lost",
        text: "Drafts are kept while you work, here and on the server. You can undo, skip with a reason, and edit your answers later.",
      },
    ],
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
} as const;
