import { useState } from "react";
import { useAddMember, useMembers, useRemoveMember, useSetRole } from "../../api/projects";
import type { Role } from "../../api/types";
import { ErrorNotice } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { spelledOut } from "../../components/invisible";
import { t } from "../../texts";

const ROLES: Role[] = ["labeler", "reviewer", "engineer", "admin"];

export function Members({ slug }: { slug: string }) {
  const members = useMembers(slug);
  const add = useAddMember(slug);
  const remove = useRemoveMember(slug);
  const setRoleOf = useSetRole(slug);
  const [user, setUser] = useState("");
  const [role, setRole] = useState<Role>("labeler");
  const problem = members.error ?? add.error ?? setRoleOf.error ?? remove.error;
  return (
    <section className="panel stack" aria-labelledby="members">
      <h2 id="members">{t.projects.members}</h2>
      {problem && <ErrorNotice error={problem} />}
      {members.data && members.data.length > 0 && (
        <ul className="list">
          {members.data.map((member) => (
            <li key={member.id}>
              <span>
                {spelledOut(member.username)}
                {member.name && <span className="muted"> · {spelledOut(member.name)}</span>}
              </span>
              <select
                aria-label={t.people.roleOf(member.username)}
                value={member.role}
                disabled={setRoleOf.isPending}
                onChange={(event) => setRoleOf.mutate({ id: member.id, role: event.target.value as Role })}
              >
                {ROLES.map((each) => (
                  <option key={each} value={each}>
                    {t.roles[each]}
                  </option>
                ))}
              </select>
              <button
                type="button"
                className="button small"
                aria-label={t.projects.removeMember(member.username)}
                onClick={() => remove.mutate(member.id)}
              >
                {t.projects.remove}
              </button>
            </li>
          ))}
        </ul>
      )}
      <form
        className="row"
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate({ user: user.trim(), role }, { onSuccess: () => setUser("") });
        }}
      >
        <Field label={t.people.username} error={add.error?.fields["user"]}>
          {(control) => (
            <input
              {...control}
              required
              autoCapitalize="none"
              value={user}
              onChange={(event) => setUser(event.target.value)}
            />
          )}
        </Field>
        <Field label={t.people.role}>
          {(control) => (
            <select {...control} value={role} onChange={(event) => setRole(event.target.value as Role)}>
              {ROLES.map((each) => (
                <option key={each} value={each}>
                  {t.roles[each]}
                </option>
              ))}
            </select>
          )}
        </Field>
        <button type="submit" className="button" disabled={add.isPending}>
          {t.projects.addMember}
        </button>
      </form>
    </section>
  );
}
