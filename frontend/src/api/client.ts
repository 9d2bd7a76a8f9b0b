/** The only code that calls `fetch`. Every failure is an `ApiError`, a lost connection included. */
import { t } from "../texts";

export class ApiError extends Error {
  constructor(
    readonly code: string,
    readonly detail: string,
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    /** One sentence for each field that is wrong. */
    readonly fields: Record<string, string> = {},
  ) {
    super(detail);
    this.name = "ApiError";
  }

  get offline(): boolean {
    return this.status === 0;
  }

  /** Worth sending again unchanged: no answer, an overloaded or restarting server. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError("unexpected", error instanceof Error ? error.message : String(error), -1);
}

const ROOT = "/api/v1/";
let csrfToken = "";

/** Remembers the token of the session; the cookie, where there is one, wins. */
export function rememberCsrf(token: string): void {
  csrfToken = token;
}

function csrf(): string {
  const cookie = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1];
  return cookie ?? csrfToken;
}

export interface RequestOptions {
  body?: unknown;
  signal?: AbortSignal;
  /** Lets the request outlive the page, for a last draft. */
  keepalive?: boolean;
}

export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrf();
  const init: RequestInit = { method, headers, credentials: "same-origin" };
  if (options.body instanceof Blob) {
    headers["Content-Type"] = "application/octet-stream";
    init.body = options.body;
  } else if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(options.body);
  }
  if (options.signal) init.signal = options.signal;
  if (options.keepalive) init.keepalive = true;

  let response: Response;
  try {
    response = await fetch(address(path), init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("offline", "The server cannot be reached.", 0);
  }
  if (response.status === 204) return null as T;
  const payload = await json(response);
  if (!response.ok) throw refusal(response, payload);
  return payload as T;
}

/** Paths are relative to the API; the `next` of a page is an address of its own. */
function address(path: string): string {
  if (!path.startsWith("http")) return ROOT + path;
  const page = new URL(path);
  return page.pathname + page.search;
}

async function json(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return text === "" ? null : (JSON.parse(text) as unknown);
  } catch {
    throw new ApiError(
      "not_json",
      `The server answered ${response.status} with something else than JSON.`,
      response.status,
    );
  }
}

function refusal(response: Response, payload: unknown): ApiError {
  const body = (payload ?? {}) as { code?: string; detail?: string; fields?: Record<string, unknown> };
  const fields = Object.fromEntries(
    Object.entries(body.fields ?? {}).map(([name, problem]) => [
      name,
      (Array.isArray(problem) ? problem.map(String) : [String(problem)]).map(t.server.said).join(" "),
    ]),
  );
  return new ApiError(
    body.code ?? "error",
    t.server.said(body.detail ?? `The server answered ${response.status}.`),
    response.status,
    fields,
  );
}

/** The first lines of a long text; the connection is closed once they are there. */
export async function firstLines(path: string, count: number, signal: AbortSignal): Promise<string[]> {
  let response: Response;
  try {
    response = await fetch(address(path), { credentials: "same-origin", signal });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("offline", "The server cannot be reached.", 0);
  }
  if (!response.ok) throw refusal(response, await json(response));
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (reader !== undefined && text.split("\n").length <= count) {
    const { done, value } = await reader.read();
    if (done) break;
    text += value;
  }
  await reader?.cancel();
  return text.split("\n").filter(Boolean).slice(0, count);
}

interface Page<T> {
  next: string | null;
  results: T[];
}

/** All pages of a list that stays short: projects, people, checkpoints. */
export async function everything<T>(path: string, signal: AbortSignal): Promise<T[]> {
  const rows: T[] = [];
  let next: string | null = path;
  while (next !== null) {
    const page: Page<T> | T[] = await request<Page<T> | T[]>("GET", next, { signal });
    if (Array.isArray(page)) return page;
    rows.push(...page.results);
    next = page.next;
  }
  return rows;
}
