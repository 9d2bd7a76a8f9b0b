/** Talking to a checkpoint, and seeing a conversation as its model sees it. A worker answers; this asks until it has. */
import { useCallback, useEffect, useRef, useState } from "react";
import { type ApiError, asApiError, request } from "./client";
import type { Inspection, Message, Reply, ReplyToken } from "./types";

const POLL_MS = 250;
const ENDED = ["succeeded", "failed", "cancelled"];

export interface ReplyOptions {
  messages: Message[];
  temperature: number;
  max_new_tokens: number;
  seed: number | null;
}

export interface Written {
  status: Reply["status"] | "idle";
  tokens: ReplyToken[];
  seed: number | null;
  finish: string;
  error: ApiError | Reply["error"];
}

const NOTHING: Written = { status: "idle", tokens: [], seed: null, finish: "", error: null };

/** One reply at a time, token by token. `onDone` gets the whole text, also of a stopped reply. */
export function useReply(onDone: (text: string) => void) {
  const [written, setWritten] = useState<Written>(NOTHING);
  const running = useRef<{ id: string | null; stopped: boolean } | null>(null);
  const done = useRef(onDone);
  useEffect(() => {
    done.current = onDone;
  });

  const stop = useCallback(() => {
    const current = running.current;
    if (current === null) return;
    current.stopped = true;
    // What it has written stays; the next look finds the reply ended.
    if (current.id !== null) void request("POST", `replies/${current.id}/cancel`).catch(() => undefined);
  }, []);
  useEffect(() => stop, [stop]);

  const ask = useCallback(async (checkpoint: string, options: ReplyOptions) => {
    const own = { id: null as string | null, stopped: false };
    running.current = own;
    setWritten({ ...NOTHING, status: "queued" });
    try {
      let reply = await request<Reply>("POST", `checkpoints/${checkpoint}/replies`, {
        body: { ...options, top: 5 },
      });
      own.id = reply.id;
      if (own.stopped) await request("POST", `replies/${reply.id}/cancel`);
      let tokens = reply.tokens;
      for (;;) {
        const now = reply;
        const seen = tokens;
        setWritten({
          status: now.status,
          tokens: seen,
          seed: now.seed,
          finish: now.finish_reason,
          error: now.error,
        });
        if (ENDED.includes(now.status)) break;
        await pause(POLL_MS);
        reply = await request<Reply>("GET", `replies/${now.id}?after=${now.next}`);
        tokens = [...seen, ...reply.tokens];
      }
      if (reply.status !== "failed") done.current(tokens.map((token) => token.text).join(""));
    } catch (error) {
      setWritten((before) => ({ ...before, status: "failed", error: asApiError(error) }));
    } finally {
      if (running.current === own) running.current = null;
    }
  }, []);

  return { written, ask, stop, clear: () => setWritten(NOTHING) };
}

/** Tokens of a conversation, and what comes after one of them; asked for anew whenever it is called. */
export async function inspect(
  checkpoint: string,
  messages: Message[],
  position: number,
  signal: AbortSignal,
): Promise<Inspection> {
  const body = { messages, position, top: 12 };
  let found = await request<Inspection>("POST", `checkpoints/${checkpoint}/inspections`, { body, signal });
  while (!ENDED.includes(found.status)) {
    await pause(POLL_MS);
    found = await request<Inspection>("GET", `inspections/${found.id}`, { signal });
  }
  return found;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
