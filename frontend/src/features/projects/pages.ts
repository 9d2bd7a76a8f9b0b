export { AuditPage } from "./AuditPage";
export { ProjectPage } from "./ProjectPage";
export { ProjectsPage } from "./ProjectsPage";
