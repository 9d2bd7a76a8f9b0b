import "@fontsource-variable/atkinson-hyperlegible-next/wght.css";
import "@fontsource-variable/atkinson-hyperlegible-mono/wght.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/shell.css";
import "./styles/work.css";
import "./styles/pages.css";
import "./styles/playground.css";
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router";
import { ApiError, asApiError } from "../api/client";
import { ME } from "../api/session";
import { ErrorBoundary } from "./ErrorBoundary";
import { chosenLanguage, speak } from "../texts";
import { router } from "./routes";
import { applyTheme, storedTheme } from "./theme";

applyTheme(storedTheme());
await speak(chosenLanguage());

const ROLE_CHANGED = ["forbidden", "not_a_member"];

/** A session that ended shows the sign-in page, and a role that changed its own links, whichever request found out. */
function onError(error: unknown): void {
  if (!(error instanceof ApiError)) return;
  if (error.code === "not_authenticated") queries.setQueryData(ME, null);
  if (ROLE_CHANGED.includes(error.code)) void queries.invalidateQueries({ queryKey: ME });
}

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: { retry: (count, error) => count < 2 && asApiError(error).temporary, networkMode: "always" },
    mutations: { networkMode: "always" },
  },
});

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <ErrorBoundary>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </ErrorBoundary>
  </StrictMode>,
);
