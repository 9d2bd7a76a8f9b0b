import { useState } from "react";
import { useCreatePerson, usePeople, useUpdatePerson } from "../../api/projects";
import type { Person, Role } from "../../api/types";
import { useMe } from "../../api/session";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { Invitations } from "../../components/Invitations";
import { spelledOut } from "../../components/invisible";
import { Badge } from "../../components/Status";
import { t } from "../../texts";

const ROLES: Role[] = ["labeler", "reviewer", "engineer", "admin"];

export function PeoplePage() {
  const people = usePeople();
  return (
    <div className="page">
      <h1>{t.people.title}</h1>
      {people.isPending && <Loading />}
      {people.error && <ErrorNotice error={people.error} onRetry={() => void people.refetch()} />}
      {people.data && (
        <div className="scroll-x">
          <table className="table stacked">
            <thead>
              <tr>
                <th scope="col">{t.people.person}</th>
                <th scope="col">{t.people.role}</th>
                <th scope="col">{t.people.state}</th>
                <th scope="col">
                  <span className="visually-hidden">{t.people.actions}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {people.data.map((person) => (
                <PersonRow key={person.id} person={person} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <ToProject />
      <NewPerson />
    </div>
  );
}

/** Inviting is to a project: to whichever is chosen here. */
function ToProject() {
  const projects = useMe().data?.projects ?? [];
  const [chosen, setChosen] = useState<string | null>(null);
  const slug = chosen ?? projects[0]?.slug;
  if (slug === undefined) return null;
  return (
    <Invitations key={slug} slug={slug}>
      <Field label={t.nav.project}>
        {(control) => (
          <select {...control} value={slug} onChange={(event) => setChosen(event.target.value)}>
            {projects.map((project) => (
              <option key={project.slug} value={project.slug}>
                {spelledOut(project.name)}
              </option>
            ))}
          </select>
        )}
      </Field>
    </Invitations>
  );
}

function PersonRow({ person }: { person: Person }) {
  const update = useUpdatePerson();
  return (
    <tr>
      <th scope="row">
        {person.username}
        {person.name !== "" && person.name !== person.username && (
          <span className="muted"> · {spelledOut(person.name)}</span>
        )}
        {update.error && <p className="row-error">{update.error.detail}</p>}
      </th>
      <td data-label={t.people.role}>
        <select
          aria-label={t.people.roleOf(person.username)}
          value={person.role}
          disabled={update.isPending}
          onChange={(event) => update.mutate({ id: person.id, role: event.target.value as Role })}
        >
          {ROLES.map((role) => (
            <option key={role} value={role}>
              {t.roles[role]}
            </option>
          ))}
        </select>
      </td>
      <td data-label={t.people.state}>
        <Badge tone={person.is_active ? "good" : "quiet"}>
          {person.is_active ? t.people.active : t.people.inactive}
        </Badge>
      </td>
      <td className="num">
        <button
          type="button"
          className="button small"
          disabled={update.isPending}
          onClick={() => update.mutate({ id: person.id, is_active: !person.is_active })}
        >
          {person.is_active ? t.people.deactivate : t.people.activate}
        </button>
      </td>
    </tr>
  );
}

const NOBODY = { username: "", name: "", password: "", role: "labeler" as Role };

function NewPerson() {
  const create = useCreatePerson();
  const [person, setPerson] = useState(NOBODY);
  const fields = create.error?.fields ?? {};
  const set = (change: Partial<typeof NOBODY>) => setPerson((before) => ({ ...before, ...change }));
  return (
    <form
      className="panel form-grid"
      aria-labelledby="new-person"
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate(person, { onSuccess: () => setPerson(NOBODY) });
      }}
    >
      <h2 id="new-person">{t.people.add}</h2>
      {create.error && <ErrorNotice error={create.error} />}
      {create.data && (
        <p className="notice notice-good" role="status">
          {t.people.added(create.data.username)}
        </p>
      )}
      <Field label={t.people.username} error={fields["username"]}>
        {(control) => (
          <input
            {...control}
            required
            autoComplete="off"
            autoCapitalize="none"
            value={person.username}
            onChange={(event) => set({ username: event.target.value })}
          />
        )}
      </Field>
      <Field label={t.people.name} error={fields["name"]}>
        {(control) => (
          <input
            {...control}
            autoComplete="off"
            value={person.name}
            onChange={(event) => set({ name: event.target.value })}
          />
        )}
      </Field>
      <Field label={t.people.password} help={t.people.passwordHelp} error={fields["password"]}>
        {(control) => (
          <input
            {...control}
            type="password"
            required
            autoComplete="new-password"
            value={person.password}
            onChange={(event) => set({ password: event.target.value })}
          />
        )}
      </Field>
      <Field label={t.people.role} error={fields["role"]}>
        {(control) => (
          <select
            {...control}
            value={person.role}
            onChange={(event) => set({ role: event.target.value as Role })}
          >
            {ROLES.map((role) => (
              <option key={role} value={role}>
                {t.roles[role]}
              </option>
            ))}
          </select>
        )}
      </Field>
      <div className="actions">
        <button type="submit" className="button primary" disabled={create.isPending}>
          {t.people.create}
        </button>
      </div>
    </form>
  );
}
