/** Every page and who may see it. What labelers do not need loads when somebody opens it. */
import { type ComponentType, createElement } from "react";
import { createBrowserRouter } from "react-router";
import type { Role } from "../api/types";
import { Loading } from "../components/ErrorNotice";
import { HomePage } from "../features/home/HomePage";
import { RouteError } from "./ErrorBoundary";
import { NotFound } from "./NotFound";
import { OnlyFor } from "./OnlyFor";
import { FirstProject, ProjectFrame } from "./ProjectFrame";
import { Shell } from "./Shell";
import { WorkPage } from "./WorkPage";

const ENGINEERS: Role[] = ["engineer", "admin"];
const ADMINS: Role[] = ["admin"];

function lazily<Name extends string>(load: () => Promise<Record<Name, ComponentType>>, name: Name) {
  return async () => {
    const page = (await load())[name];
    return { element: createElement(page) };
  };
}

export const router = createBrowserRouter([
  {
    element: <Shell />,
    errorElement: <RouteError />,
    HydrateFallback: Loading,
    children: [
      { path: "/", element: <HomePage /> },
      { path: "/p/:slug/work", element: <WorkPage /> },
      {
        element: <OnlyFor roles={ENGINEERS} />,
        children: [
          { path: "/runs", element: <FirstProject page="runs" /> },
          { path: "/checkpoints", element: <FirstProject page="checkpoints" /> },
          {
            path: "/p/:slug",
            element: <ProjectFrame />,
            children: [
              { path: "runs", lazy: lazily(() => import("../features/runs/RunsPage"), "RunsPage") },
              { path: "runs/new", lazy: lazily(() => import("../features/runs/NewRunPage"), "NewRunPage") },
              { path: "runs/:id", lazy: lazily(() => import("../features/runs/RunPage"), "RunPage") },
              {
                path: "checkpoints",
                lazy: lazily(() => import("../features/checkpoints/CheckpointsPage"), "CheckpointsPage"),
              },
              {
                path: "checkpoints/:id",
                lazy: lazily(() => import("../features/checkpoints/CheckpointsPage"), "CheckpointPage"),
              },
            ],
          },
        ],
      },
      {
        element: <OnlyFor roles={ADMINS} />,
        children: [
          {
            path: "/projects",
            lazy: lazily(() => import("../features/projects/ProjectsPage"), "ProjectsPage"),
          },
          {
            path: "/projects/:slug",
            lazy: lazily(() => import("../features/projects/ProjectPage"), "ProjectPage"),
          },
          { path: "/people", lazy: lazily(() => import("../features/people/PeoplePage"), "PeoplePage") },
        ],
      },
      { path: "*", element: <NotFound /> },
    ],
  },
]);
