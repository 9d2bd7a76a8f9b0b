/** Every page and who may see it. What labelers do not need at once loads when somebody opens it. */
import { type ComponentType, createElement } from "react";
import { type RouteObject, createBrowserRouter } from "react-router";
import { Loading } from "../components/ErrorNotice";
import { HomePage } from "../features/home/HomePage";
import { PAGES, type PageName } from "./areas";
import { RouteError } from "./ErrorBoundary";
import { NotFound } from "./NotFound";
import { OnlyFor } from "./OnlyFor";
import { FirstProject, ProjectFrame } from "./ProjectFrame";
import { Shell } from "./Shell";
import { WorkPage } from "./WorkPage";

function lazily<Name extends string>(
  path: string,
  load: () => Promise<Record<Name, ComponentType>>,
  name: Name,
): RouteObject {
  return { path, lazy: async () => ({ element: createElement((await load())[name]) }) };
}

const answers = () => import("../features/answers/pages");
const runs = () => import("../features/runs/pages");
const checkpoints = () => import("../features/checkpoints/CheckpointsPage");
const rounds = () => import("../features/rounds/RoundsPage");
const rollouts = () => import("../features/rollouts/RolloutsPage");
const playground = () => import("../features/playground/pages");
const quality = () => import("../features/quality/pages");
const data = () => import("../features/data/DataPage");
const projects = () => import("../features/projects/pages");
const people = () => import("../features/people/PeoplePage");
const invitation = () => import("../features/invitation/InvitationPage");
const account = () => import("../features/account/AccountPage");

/** A page of whichever project one looked at last. */
const shortcuts: RouteObject[] = (Object.keys(PAGES) as PageName[]).map((page) => ({
  path: `/${page}`,
  element: <FirstProject page={page} />,
}));

export const router = createBrowserRouter([
  {
    path: "/invitation",
    errorElement: <RouteError />,
    HydrateFallback: Loading,
    lazy: async () => ({ element: createElement((await invitation()).InvitationPage) }),
  },
  {
    element: <Shell />,
    errorElement: <RouteError />,
    HydrateFallback: Loading,
    children: [
      { path: "/", element: <HomePage /> },
      { path: "/p/:slug/work", element: <WorkPage /> },
      lazily("/account", account, "AccountPage"),
      ...shortcuts,
      {
        path: "/p/:slug",
        element: <ProjectFrame />,
        children: [
          lazily("mine", answers, "HistoryPage"),
          lazily("answers/:id", answers, "AnswerPage"),
          lazily("answers/:id/edit", () => import("./EditPage"), "EditPage"),
          lazily("runs", runs, "RunsPage"),
          lazily("runs/new", runs, "NewRunPage"),
          lazily("runs/overlay", runs, "OverlayPage"),
          lazily("runs/:id", runs, "RunPage"),
          lazily("rounds", rounds, "RoundsPage"),
          lazily("checkpoints", checkpoints, "CheckpointsPage"),
          lazily("checkpoints/:id", checkpoints, "CheckpointPage"),
          lazily("rollouts", rollouts, "RolloutsPage"),
          lazily("playground", playground, "PlaygroundPage"),
          lazily("tokens", playground, "TokensPage"),
          lazily("quality", quality, "QualityPage"),
          lazily("statistics", quality, "StatisticsPage"),
          lazily("review", quality, "ReviewPage"),
          lazily("review/:id", quality, "CasePage"),
          lazily("data", data, "DataPage"),
          lazily("settings", projects, "ProjectPage"),
          lazily("audit", projects, "AuditPage"),
        ],
      },
      {
        element: <OnlyFor roles={["admin"]} />,
        children: [lazily("/projects", projects, "ProjectsPage"), lazily("/people", people, "PeoplePage")],
      },
      { path: "*", element: <NotFound /> },
    ],
  },
]);
