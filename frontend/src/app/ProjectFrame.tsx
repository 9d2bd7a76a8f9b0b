import { NavLink, Navigate, Outlet, useLocation, useNavigate, useParams } from "react-router";
import { useMe } from "../api/session";
import { spelledOut } from "../components/invisible";
import { t } from "../texts";
import { lastProject, rememberProject } from "./lastProject";
import { PAGES, type PageName, pageOf, pagesOf, roleIn } from "./areas";

/** Pages of one project: the area's tabs, and a switch to other projects where there are any. */
export function ProjectFrame() {
  const { slug = "" } = useParams();
  const { pathname } = useLocation();
  const navigate = useNavigate();
  const me = useMe().data;
  if (!me) return null;
  const page = pageOf(pathname);
  const role = roleIn(me, slug);
  const tabs = page === null ? [] : pagesOf(PAGES[page].area, role);
  rememberProject(slug);
  if (page !== null && !(PAGES[page].roles as string[]).includes(role))
    return (
      <div className="page narrow">
        <p className="notice notice-warn">{t.errors.forbidden}</p>
      </div>
    );
  return (
    <>
      {(tabs.length > 1 || me.projects.length > 1) && (
        <div className="tabs-bar">
          {tabs.length > 1 && (
            <nav className="tabs" aria-label={t.nav.pages}>
              {tabs.map((name) => (
                <NavLink
                  key={name}
                  to={`/p/${slug}/${name}`}
                  {...(name === page ? { className: "active", "aria-current": "page" as const } : {})}
                >
                  {t.nav.page[name]}
                </NavLink>
              ))}
            </nav>
          )}
          {me.projects.length > 1 && (
            <label className="inline-field">
              <span className="muted">{t.nav.project}</span>
              <select
                value={slug}
                onChange={(event) => void navigate(`/p/${event.target.value}/${page ?? "mine"}`)}
              >
                {me.projects.map((project) => (
                  <option key={project.slug} value={project.slug}>
                    {spelledOut(project.name)}
                  </option>
                ))}
              </select>
            </label>
          )}
        </div>
      )}
      <Outlet />
    </>
  );
}

/** The same page of the project looked at last, or of the first one. */
export function FirstProject({ page }: { page: PageName }) {
  const projects = useMe().data?.projects ?? [];
  const last = lastProject();
  const project = projects.find((each) => each.slug === last) ?? projects[0];
  if (project === undefined)
    return (
      <div className="page">
        <p className="empty">{t.home.noProjects}</p>
      </div>
    );
  return <Navigate to={`/p/${project.slug}/${page}`} replace />;
}
