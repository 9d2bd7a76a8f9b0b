// @vitest-environment happy-dom
/** The next task against a server: shown before the server answers, replaced where it is lost, given back on leaving. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, cleanup, renderHook, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import type { ReactNode } from "react";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { kept, useWork } from "./next";
import type { Lease } from "./types";

const API = "http://localhost:3000/api/v1";
const lease = (token: string, notice: unknown = null) =>
  ({ token, lease_seconds: 900, notice, task: { id: token, kind: "ranking" } }) as unknown as Lease;

/** What the server says to each request for work, by turns; a promise keeps it waiting. */
let onScreen: (() => Response | Promise<Response>)[] = [];
let ahead: (Lease | null)[] = [];
let givenBack: string[] = [];

const server = setupServer(
  http.post(`${API}/projects/garden/next`, async ({ request }) => {
    const asked = (await request.json()) as { ahead?: boolean };
    if (asked.ahead !== true) return (onScreen.shift() ?? (() => new HttpResponse(null, { status: 204 })))();
    const found = ahead.shift() ?? null;
    return found === null ? new HttpResponse(null, { status: 204 }) : HttpResponse.json(found);
  }),
  http.post(`${API}/leases/:token/give-back`, ({ params }) => {
    givenBack.push(String(params["token"]));
    return HttpResponse.json({ given_back: true });
  }),
);
beforeAll(() => server.listen({ onUnhandledRequest: "error" }));
beforeEach(() => {
  [onScreen, ahead, givenBack] = [[], [], []];
});
afterEach(() => cleanup());
afterAll(() => server.close());

const gives = (found: Lease) => () => HttpResponse.json(found);

async function start() {
  const client = new QueryClient({ defaultOptions: { queries: { networkMode: "always" } } });
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={client}>{children}</QueryClientProvider>
  );
  const shown = renderHook(() => useWork("garden", ["ranking"]), { wrapper });
  await waitFor(() => expect(shown.result.current.lease?.token).toBe("a"));
  await waitFor(() => expect(client.isFetching()).toBe(0));
  return shown;
}

test("the next task is shown before the server has answered, and is then the same object", async () => {
  let answer: (response: Response) => void = () => undefined;
  onScreen = [gives(lease("a")), () => new Promise((resolve) => (answer = resolve))];
  ahead = [lease("b"), lease("c")];
  const { result } = await start();
  act(() => result.current.proceed());
  expect(result.current).toMatchObject({ lease: { token: "b" }, loading: false, error: null });
  const early = result.current.lease;
  await waitFor(() => expect(onScreen).toHaveLength(0));
  answer(HttpResponse.json(lease("b")));
  await waitFor(() => expect(ahead).toHaveLength(0));
  expect(result.current.lease).toBe(early);
});

test("where the hold on it was lost, what the server gives instead is shown", async () => {
  onScreen = [gives(lease("a")), gives(lease("d"))];
  ahead = [lease("b")];
  const { result } = await start();
  act(() => result.current.proceed());
  await waitFor(() => expect(result.current.lease?.token).toBe("d"));
});

test("a cut line takes nothing from the screen", async () => {
  onScreen = [gives(lease("a")), () => HttpResponse.error(), gives(lease("b"))];
  ahead = [lease("b")];
  const { result } = await start();
  act(() => result.current.proceed());
  await waitFor(() => expect(onScreen).toHaveLength(1));
  expect(result.current).toMatchObject({ lease: { token: "b" }, loading: false, error: null });
  await waitFor(() => expect(onScreen).toHaveLength(0), { timeout: 3_000 });
});

test("a pause is told in place of the task", async () => {
  const paused = { code: "membership_paused", detail: "Your work is paused.", fields: {} };
  onScreen = [gives(lease("a")), () => HttpResponse.json(paused, { status: 403 })];
  ahead = [lease("b")];
  const { result } = await start();
  act(() => result.current.proceed());
  await waitFor(() => expect(result.current.error).toMatchObject({ code: "membership_paused" }));
});

test("who leaves gives the task fetched ahead back, and only that one", async () => {
  onScreen = [gives(lease("a")), gives(lease("b"))];
  ahead = [lease("b"), lease("c")];
  const { result, unmount } = await start();
  act(() => result.current.proceed());
  await waitFor(() => expect(ahead).toHaveLength(0));
  await act(async () => Promise.resolve());
  await new Promise((resolve) => setTimeout(resolve, 50));
  unmount();
  await waitFor(() => expect(givenBack).toEqual(["c"]));
});

test("a warning that came with the answer reaches the task on screen", () => {
  const before = lease("a");
  expect(kept(before, lease("a"))).toBe(before);
  expect(kept(before, lease("a", { state: "warned" }))?.notice).toEqual({ state: "warned" });
  expect(kept(before, null)).toBeNull();
});
