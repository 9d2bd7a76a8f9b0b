/** Where a person starts: their projects, what waits in each, and what they did today. */
import { useState } from "react";
import { Link } from "react-router";
import { useStanding } from "../../api/review";
import { useMe } from "../../api/session";
import type { ProjectRef, TaskKind } from "../../api/types";
import { useProgress } from "../../api/work";
import { useProject } from "../../api/projects";
import { Dialog } from "../../components/Dialog";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { spelledOut } from "../../components/invisible";
import { Markdown } from "../../components/Markdown";
import { StandingNote } from "../../components/StandingNote";
import { t } from "../../texts";
import { Tour } from "./Tour";

const KINDS: TaskKind[] = ["ranking", "demonstration", "comparison"];

export function HomePage() {
  const me = useMe().data;
  if (!me) return null;
  return (
    <div className="page">
      <h1>{t.home.greeting(spelledOut(me.name || me.username))}</h1>
      <Tour />
      {me.projects.length === 0 && <p className="empty">{t.home.noProjects}</p>}
      <div className="project-list">
        {me.projects.map((project) => (
          <ProjectCard key={project.slug} project={project} />
        ))}
      </div>
    </div>
  );
}

function ProjectCard({ project }: { project: ProjectRef }) {
  const progress = useProgress(project.slug);
  const standing = useStanding(project.slug);
  const [guideline, setGuideline] = useState(false);
  const data = progress.data;
  return (
    <section className="project" aria-labelledby={`project-${project.slug}`}>
      <header className="project-head">
        <h2 id={`project-${project.slug}`}>{spelledOut(project.name)}</h2>
        <button type="button" className="button small quiet" onClick={() => setGuideline(true)}>
          {t.work.guideline}
        </button>
      </header>
      <StandingNote standing={standing.data} />
      {progress.isPending && <Loading />}
      {progress.error && <ErrorNotice error={progress.error} onRetry={() => void progress.refetch()} />}
      {data && (
        <>
          <p className="today">
            <strong>{data.mine.today}</strong> {t.home.today}
            <span className="muted"> · {t.home.total(data.mine.total)}</span>
          </p>
          <ul className="queue">
            {KINDS.map((kind) => {
              const open = data.tasks[kind].open;
              return (
                <li key={kind} className={open === 0 ? "queue-row nothing" : "queue-row"}>
                  <span className="queue-count">{open}</span>
                  <span className="queue-kind">{t.home.waiting[kind]}</span>
                  {open > 0 && (
                    <Link className="button primary" to={`/p/${project.slug}/work?kind=${kind}`}>
                      {t.home.start[kind]}
                    </Link>
                  )}
                </li>
              );
            })}
          </ul>
        </>
      )}
      {guideline && <GuidelineDialog slug={project.slug} onClose={() => setGuideline(false)} />}
    </section>
  );
}

function GuidelineDialog({ slug, onClose }: { slug: string; onClose: () => void }) {
  const project = useProject(slug);
  const guideline = project.data?.guideline;
  return (
    <Dialog
      title={guideline ? t.work.guidelineTitle(guideline.version) : t.work.guideline}
      onClose={onClose}
      wide
    >
      {project.isPending && <Loading />}
      {project.error && <ErrorNotice error={project.error} />}
      {project.data && <Markdown text={guideline?.text ?? ""} />}
    </Dialog>
  );
}
