import { useState } from "react";
import { Link, useNavigate } from "react-router";
import { useCreateProject, useProjects } from "../../api/projects";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { spelledOut } from "../../components/invisible";
import { Badge } from "../../components/Status";
import { t } from "../../texts";

export function ProjectsPage() {
  const projects = useProjects();
  return (
    <div className="page">
      <h1>{t.projects.title}</h1>
      {projects.isPending && <Loading />}
      {projects.error && <ErrorNotice error={projects.error} onRetry={() => void projects.refetch()} />}
      {projects.data?.length === 0 && <p className="empty">{t.projects.empty}</p>}
      {projects.data && projects.data.length > 0 && (
        <ul className="list">
          {projects.data.map((project) => (
            <li key={project.slug}>
              <Link to={`/p/${project.slug}/settings`}>{spelledOut(project.name)}</Link>
              <span className="muted"> {spelledOut(project.description)}</span>
              <Badge tone={project.status === "open" ? "good" : "quiet"}>{t.words(project.status)}</Badge>
            </li>
          ))}
        </ul>
      )}
      <NewProject />
    </div>
  );
}

function NewProject() {
  const create = useCreateProject();
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [slug, setSlug] = useState<string | null>(null);
  const [description, setDescription] = useState("");
  const fields = create.error?.fields ?? {};
  const address = slug ?? slugOf(name);
  return (
    <form
      className="panel form-grid"
      aria-labelledby="new-project"
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate(
          { slug: address, name, description },
          { onSuccess: (project) => void navigate(`/p/${project.slug}/settings`) },
        );
      }}
    >
      <h2 id="new-project">{t.projects.add}</h2>
      {create.error && <ErrorNotice error={create.error} />}
      <Field label={t.projects.name} error={fields["name"]}>
        {(control) => (
          <input {...control} required value={name} onChange={(event) => setName(event.target.value)} />
        )}
      </Field>
      <Field label={t.projects.slug} help={t.projects.slugHelp} error={fields["slug"]}>
        {(control) => (
          <input
            {...control}
            required
            spellCheck={false}
            value={address}
            onChange={(event) => setSlug(event.target.value)}
          />
        )}
      </Field>
      <Field label={t.projects.description} error={fields["description"]}>
        {(control) => (
          <input {...control} value={description} onChange={(event) => setDescription(event.target.value)} />
        )}
      </Field>
      <div className="actions">
        <button type="submit" className="button primary" disabled={create.isPending}>
          {t.projects.create}
        </button>
      </div>
    </form>
  );
}

function slugOf(name: string): string {
  return name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 50);
}
