export { NewRunPage } from "./NewRunPage";
export { OverlayPage } from "./OverlayPage";
export { RunPage } from "./RunPage";
export { RunsPage } from "./RunsPage";
