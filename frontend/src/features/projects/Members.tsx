import { useState } from "react";
import { useAddMember, useMembers, useRemoveMember } from "../../api/projects";
import type { Role } from "../../api/types";
import { ErrorNotice } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { t } from "../../texts";

const ROLES: Role[] = ["labeler", "reviewer", "engineer", "admin"];

export function Members({ slug }: { slug: string }) {
  const members = useMembers(slug);
  const add = useAddMember(slug);
  const remove = useRemoveMember(slug);
  const [user, setUser] = useState("");
  const [role, setRole] = useState<Role>("labeler");
  const problem = members.error ?? add.error ?? remove.error;
  return (
    <section className="panel stack" aria-labelledby="members">
      <h2 id="members">{t.projects.members}</h2>
      {problem && <ErrorNotice error={problem} />}
      {members.data && members.data.length > 0 && (
        <ul className="list">
          {members.data.map((member) => (
            <li key={member.id}>
              <span>
                {member.username}
                {member.name && <span className="muted"> · {member.name}</span>}
              </span>
              <span className="muted">{t.roles[member.role]}</span>
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
