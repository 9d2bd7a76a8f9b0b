// @vitest-environment happy-dom
/** The screen against a server that fails: what was written is sent again under the same key, and nothing doubles. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Lease } from "../../api/types";
import { DemonstrationScreen } from "./DemonstrationScreen";

const API = "http://localhost:3000/api/v1";
const LEASE = {
  token: "11111111-1111-4111-8111-111111111111",
  expires_at: "",
  lease_seconds: 900,
  server_time: "",
  notice: null,
  draft: null,
  task: {
    id: "22222222-2222-4222-8222-222222222222",
    kind: "demonstration",
    prompt: { id: "p", messages: [{ role: "user", content: "Where do flowers grow?", name: "" }] },
    guideline: null,
    responses: [],
    policy_draft: "In the garden.",
    settings: {},
  },
} as unknown as Lease;

const server = setupServer(
  http.put(`${API}/leases/:token/draft`, () => HttpResponse.json({ saved_at: "", expires_at: "soon" })),
);
beforeAll(() => server.listen({ onUnhandledRequest: "error" }));
beforeEach(() => localStorage.clear());
afterEach(() => {
  server.resetHandlers();
  cleanup();
});
afterAll(() => server.close());

function show(onAnswered = vi.fn()) {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <DemonstrationScreen lease={LEASE} onAnswered={onAnswered} onSkipped={vi.fn()} onLeave={vi.fn()} />
    </QueryClientProvider>,
  );
  return onAnswered;
}

test("an answer that got no reply is sent again under the same key", async () => {
  const keys: unknown[] = [];
  server.use(
    http.post(`${API}/leases/:token/demonstration`, async ({ request }) => {
      keys.push(((await request.json()) as { idempotency_key: string }).idempotency_key);
      if (keys.length === 1) return HttpResponse.error();
      if (keys.length === 2) return new HttpResponse("busy", { status: 503 });
      return HttpResponse.json({ id: "a", kind: "demonstration", task: "t", late: false, revision: 1 });
    }),
  );
  const onAnswered = show();
  await userEvent.type(screen.getByLabelText("Your reply"), "In the garden, and in pots.");
  await userEvent.click(screen.getByRole("button", { name: /Submit/ }));
  expect(await screen.findByText(/No connection. Your answer is kept here/)).toBeTruthy();
  await waitFor(() => expect(onAnswered).toHaveBeenCalledTimes(1), { timeout: 8_000 });
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
}, 12_000);

test("a task that is lost keeps the text to copy", async () => {
  server.use(
    http.post(`${API}/leases/:token/demonstration`, () =>
      HttpResponse.json(
        { code: "lease_lost", detail: "It is somebody else's now.", fields: {} },
        { status: 409 },
      ),
    ),
  );
  show();
  await userEvent.type(screen.getByLabelText("Your reply"), "A long reply.");
  await userEvent.click(screen.getByRole("button", { name: /Submit/ }));
  expect(await screen.findByRole("heading", { name: "This task has gone to somebody else" })).toBeTruthy();
  expect(screen.getByLabelText<HTMLTextAreaElement>("Your work").value).toBe("A long reply.");
});

test("the model's own words are handed in only after a question", async () => {
  const sent = vi.fn();
  server.use(
    http.post(`${API}/leases/:token/demonstration`, async ({ request }) => {
      sent(await request.json());
      return HttpResponse.json({ id: "a", kind: "demonstration", task: "t", late: false, revision: 1 });
    }),
  );
  const onAnswered = show();
  await userEvent.click(screen.getByRole("button", { name: "Start from this draft" }));
  await userEvent.click(screen.getByRole("button", { name: /Submit/ }));
  expect(sent).not.toHaveBeenCalled();
  await userEvent.click(await screen.findByRole("button", { name: "It is right as it is", hidden: true }));
  await waitFor(() => expect(onAnswered).toHaveBeenCalled());
  expect(sent.mock.calls[0]?.[0]).toMatchObject({ text: "In the garden.", confirm_same_as_draft: true });
});
