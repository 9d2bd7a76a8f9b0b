import { Navigate, Outlet, useLocation, useNavigate, useParams } from "react-router";
import { useMe } from "../api/session";
import { t } from "../texts/en";

const LAST = "rankloop.project";

/** Pages of one project, with a switch to the others where there are any. */
export function ProjectFrame() {
  const { slug = "" } = useParams();
  const { pathname } = useLocation();
  const navigate = useNavigate();
  const projects = useMe().data?.projects ?? [];
  const page = pathname.split("/")[3] ?? "runs";
  localStorage.setItem(LAST, slug);
  return (
    <>
      {projects.length > 1 && (
        <div className="project-switch">
          <label className="inline-field">
            {t.nav.project}
            <select value={slug} onChange={(event) => void navigate(`/p/${event.target.value}/${page}`)}>
              {projects.map((project) => (
                <option key={project.slug} value={project.slug}>
                  {project.name}
                </option>
              ))}
            </select>
          </label>
        </div>
      )}
      <Outlet />
    </>
  );
}

/** The project looked at last, or the first one. */
export function FirstProject({ page }: { page: "runs" | "checkpoints" }) {
  const projects = useMe().data?.projects ?? [];
  const last = localStorage.getItem(LAST);
  const project = projects.find((each) => each.slug === last) ?? projects[0];
  if (project === undefined)
    return (
      <div className="page">
        <p className="empty">{t.home.noProjects}</p>
      </div>
    );
  return <Navigate to={`/p/${project.slug}/${page}`} replace />;
}
