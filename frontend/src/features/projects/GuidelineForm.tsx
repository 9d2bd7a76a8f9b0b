import { useState } from "react";
import { useNewGuideline } from "../../api/projects";
import type { Project } from "../../api/types";
import { ErrorNotice } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
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
      <Field
        label={t.projects.guidelineText}
        help={t.projects.guidelineHelp}
        error={publish.error?.fields["text"]}
      >
        {(control) => (
          <textarea {...control} rows={8} value={text} onChange={(event) => setText(event.target.value)} />
        )}
      </Field>
      <div className="actions">
        <button
          type="submit"
          className="button primary"
          disabled={publish.isPending || text.trim() === "" || text === (project.guideline?.text ?? "")}
        >
          {t.projects.publishGuideline}
        </button>
      </div>
    </form>
  );
}
