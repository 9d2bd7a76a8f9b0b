/** Talking to a checkpoint, and its tokens. */
import { counted } from "./count";

export const playground = {
  playground: {
    title: "Playground",
    noModels: "No model to talk to yet. Pretrain or fine-tune one first.",
    sides: { a: "Model", b: "Second model" },
    ask: "Your message",
    message: "Your message",
    send: "Send",
    stop: "Stop",
    startOver: "Start over",
    two: "Beside a second model",
    one: "Only one model",
    empty: "Say something. Nothing that is said here is stored or trained on.",
    settings: "System message and sampling",
    system: "System message",
    temperature: "Temperature",
    temperatureHelp: "Divides the logits; 1 is what the model was trained with.",
    longest: "Tokens at most",
    seedHelp: "The same seed gives the same reply. Empty: a fresh one each time.",
    asTokens: "See it as tokens",
    stopped: "Stopped.",
    statuses: { queued: "waiting for a worker…", loading: "loading the model…", running: "writing…" },
    facts: (tokens: number, seed: number, nats: string) =>
      `${counted(tokens, "token", "tokens")}, seed ${seed}, ${nats} nats a token`,
  },

  tokens: {
    title: "Tokens",
    explain: "A conversation as the model sees it, and what it expects after any token.",
    show: "Show the tokens",
    working: "Asking the model…",
    addTurn: "Add a turn",
    turn: (n: number) => `Turn ${n}`,
    roleOf: (n: number) => `Role of turn ${n}`,
    removeTurn: (n: number) => `Remove turn ${n}`,
    count: (n: number) => counted(n, "token", "tokens"),
    parts: (content: number, template: number) => `${content} of the texts, ${template} of the template`,
    ids: "Show ids",
    list: "Tokens; press one to see what the model expects after it",
    template: "of the template",
    next: (text: string) => `What comes after ${text}`,
    first: (id: number) => `id ${id}, the first token`,
    about: (id: number, chance: string, rank: number, bits: string) =>
      `id ${id}, chance ${chance}, rank ${rank}, ${bits} bits of surprise`,
  },
} as const;
