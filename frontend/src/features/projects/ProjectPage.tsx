/** One project for its admin: settings, guideline, members, import, and how far the work is. */
import { useParams } from "react-router";
import { useProject } from "../../api/projects";
import { useProgress } from "../../api/work";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { spelledOut } from "../../components/invisible";
import { Invitations } from "../../components/Invitations";
import { number } from "../../components/format";
import { t } from "../../texts";
import { GuidelineForm } from "./GuidelineForm";
import { Members } from "./Members";
import { SettingsForm } from "./SettingsForm";

export function ProjectPage() {
  const { slug = "" } = useParams();
  const project = useProject(slug);
  if (project.isPending) return <Loading />;
  return (
    <div className="page">
      {project.error && <ErrorNotice error={project.error} onRetry={() => void project.refetch()} />}
      {project.data && (
        <>
          <h1>{spelledOut(project.data.name)}</h1>
          <ProgressTable slug={slug} />
          <SettingsForm key={`settings-${slug}`} project={project.data} />
          <GuidelineForm key={`guideline-${project.data.guideline?.version ?? 0}`} project={project.data} />
          <Members slug={slug} />
          <Invitations slug={slug} />
        </>
      )}
    </div>
  );
}

function ProgressTable({ slug }: { slug: string }) {
  const progress = useProgress(slug);
  if (progress.error) return <ErrorNotice error={progress.error} onRetry={() => void progress.refetch()} />;
  if (!progress.data) return null;
  const { tasks, labelers } = progress.data;
  return (
    <section className="panel" aria-labelledby="progress">
      <h2 id="progress">{t.projects.progress}</h2>
      <div className="scroll-x">
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t.projects.tasks}</th>
              {(["open", "leased", "done", "halted"] as const).map((state) => (
                <th key={state} scope="col" className="num">
                  {t.projects.states[state]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {(["ranking", "demonstration", "comparison"] as const).map((kind) => (
              <tr key={kind}>
                <th scope="row">{t.projects.kinds[kind]}</th>
                {(["open", "leased", "done", "halted"] as const).map((state) => (
                  <td key={state} className="num">
                    {number(tasks[kind][state])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {labelers.length > 0 && (
        <div className="scroll-x">
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t.projects.labeler}</th>
                <th scope="col" className="num">
                  {t.projects.kinds.ranking}
                </th>
                <th scope="col" className="num">
                  {t.projects.kinds.demonstration}
                </th>
                <th scope="col" className="num">
                  {t.projects.minutes}
                </th>
              </tr>
            </thead>
            <tbody>
              {labelers.map((labeler) => (
                <tr key={labeler.username}>
                  <th scope="row">{labeler.username}</th>
                  <td className="num">{number(labeler.rankings)}</td>
                  <td className="num">{number(labeler.demonstrations)}</td>
                  <td className="num">{labeler.active_minutes.toFixed(0)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
