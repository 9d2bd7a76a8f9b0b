/** Every page and who may see it. What labelers do not need loads when somebody opens it. */
import { createBrowserRouter } from "react-router";
import { HomePage } from "../features/home/HomePage";
import { RouteError } from "./ErrorBoundary";
import { NotFound } from "./NotFound";
import { Shell } from "./Shell";
import { WorkPage } from "./WorkPage";

export const router = createBrowserRouter([
  {
    element: <Shell />,
    errorElement: <RouteError />,
    children: [
      { path: "/", element: <HomePage /> },
      { path: "/p/:slug/work", element: <WorkPage /> },
      { path: "*", element: <NotFound /> },
    ],
  },
]);
