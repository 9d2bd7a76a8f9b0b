/** Sign-in, then the header and the page. */
import { Suspense, useState } from "react";
import { Link, NavLink, Outlet, ScrollRestoration, useLocation } from "react-router";
import { useMe, useSignOut } from "../api/session";
import type { Me } from "../api/types";
import { ErrorNotice, Loading } from "../components/ErrorNotice";
import { Icon } from "../components/Icon";
import { spelledOut } from "../components/invisible";
import { SignInPage } from "../features/signin/SignInPage";
import { t } from "../texts";
import { PAGES, entry, pageOf } from "./areas";
import { THEMES, applyTheme, storedTheme } from "./theme";

export function Shell() {
  const me = useMe();
  if (me.isPending) return <Loading />;
  if (me.error)
    return (
      <main className="page narrow">
        <ErrorNotice error={me.error} onRetry={() => void me.refetch()} />
      </main>
    );
  if (me.data === null) return <SignInPage />;
  return (
    <div className="shell">
      <a className="skip-link" href="#content">
        {t.nav.skip}
      </a>
      <Header me={me.data} />
      <main id="content" tabIndex={-1}>
        <Suspense fallback={<Loading />}>
          <Outlet />
        </Suspense>
      </main>
      <ScrollRestoration />
    </div>
  );
}

const AREAS = ["labeling", "models", "quality", "project"] as const;

function Header({ me }: { me: Me }) {
  const signOut = useSignOut();
  const { pathname } = useLocation();
  const page = pageOf(pathname);
  const here = page === null ? null : PAGES[page].area;
  return (
    <header className="shell-head">
      <Link to="/" className="brand">
        <span className="brand-mark" aria-hidden="true" />
        Rankloop
      </Link>
      <nav aria-label={t.nav.main}>
        <NavLink to="/" end>
          {t.nav.home}
        </NavLink>
        {AREAS.map((area) => {
          const first = entry(area, me);
          return (
            first !== null && (
              <Link key={area} to={`/${first}`} aria-current={here === area ? "page" : undefined}>
                {t.nav.area[area]}
              </Link>
            )
          );
        })}
        {me.role === "admin" && <NavLink to="/projects">{t.nav.projects}</NavLink>}
        {me.role === "admin" && <NavLink to="/people">{t.nav.people}</NavLink>}
      </nav>
      <div className="shell-person">
        <ThemeButton />
        <NavLink to="/account" className="shell-name">
          {spelledOut(me.name || me.username)}
        </NavLink>
        <button type="button" className="button small quiet" onClick={() => signOut.mutate()}>
          {t.nav.signOut}
        </button>
      </div>
    </header>
  );
}

function ThemeButton() {
  const [theme, setTheme] = useState(storedTheme);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
  return (
    <button
      type="button"
      className="icon-button"
      title={t.nav.theme[theme]}
      aria-label={t.nav.theme[theme]}
      onClick={() => {
        applyTheme(next);
        setTheme(next);
      }}
    >
      <Icon name={theme} />
    </button>
  );
}
