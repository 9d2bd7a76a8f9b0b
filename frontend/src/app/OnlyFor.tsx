import { Outlet } from "react-router";
import { useMe } from "../api/session";
import type { Role } from "../api/types";
import { t } from "../texts";

/** A sentence instead of a page full of refusals; the server decides, here and everywhere. */
export function OnlyFor({ roles }: { roles: Role[] }) {
  const me = useMe().data;
  const held = [me?.role, ...(me?.projects.map((project) => project.role) ?? [])];
  if (roles.some((role) => held.includes(role))) return <Outlet />;
  return (
    <div className="page narrow">
      <p className="notice notice-warn">{t.errors.forbidden}</p>
    </div>
  );
}
