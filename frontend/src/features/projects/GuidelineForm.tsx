import { useState } from "react";
import { useGuidelines, useNewGuideline } from "../../api/projects";
import type { Project } from "../../api/types";
import { ErrorNotice } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { dateTime } from "../../components/format";
import { Markdown } from "../../components/Markdown";
import { t } from "../../texts";

/** Guidelines are never changed: each save is a new version, and answers name the one they followed. */
export function GuidelineForm({ project }: { project: Project }) {
  const publish = useNewGuideline(project.slug);
  const [text, setText] = useState(project.guideline?.text ?? "");
  return (
    <form
      className="panel stack"
      aria-labelledby="guideline"
      onSubmit={(event) => {
        event.preventDefault();
        publish.mutate({ text });
      }}
    >
      <h2 id="guideline">{t.work.guidelineTitle(project.guideline?.version ?? 0)}</h2>
      {publish.error && <ErrorNotice error={publish.error} />}
      <div className="editor">
        <Field
          label={t.projects.guidelineText}
          help={t.projects.guidelineHelp}
          error={publish.error?.fields["text"]}
        >
          {(control) => (
            <textarea {...control} rows={14} value={text} onChange={(event) => setText(event.target.value)} />
          )}
        </Field>
        <section className="field" aria-label={t.projects.guidelinePreview}>
          <span className="field-name">{t.projects.guidelinePreview}</span>
          <div className="editor-preview">
            <Markdown text={text} />
          </div>
        </section>
      </div>
      <div className="actions">
        <button
          type="submit"
          className="button primary"
          disabled={publish.isPending || text.trim() === "" || text === (project.guideline?.text ?? "")}
        >
          {t.projects.publishGuideline}
        </button>
      </div>
      {(project.guideline?.version ?? 0) > 1 && <Versions project={project} />}
    </form>
  );
}

function Versions({ project }: { project: Project }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t.projects.guidelineVersions}</summary>
      {open && <VersionList project={project} />}
    </details>
  );
}

function VersionList({ project }: { project: Project }) {
  const versions = useGuidelines(project.slug);
  const earlier = versions.data?.filter((each) => each.version !== project.guideline?.version) ?? [];
  if (versions.error) return <ErrorNotice error={versions.error} onRetry={() => void versions.refetch()} />;
  return (
    <ol className="samples">
      {earlier.map((each) => (
        <li key={each.version} className="panel">
          <p className="muted">
            {t.work.guidelineTitle(each.version)} · {dateTime(each.created_at)}
          </p>
          <Markdown text={each.text} />
        </li>
      ))}
    </ol>
  );
}
