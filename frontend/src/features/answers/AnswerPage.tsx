/** One answer with everything that it says: the prompt, the responses in their order, and the labeler's notes. */
import { Link, useParams } from "react-router";
import { useAnswer } from "../../api/answers";
import { useMakeGold } from "../../api/review";
import { useMe } from "../../api/session";
import type { AnswerWithTexts, ResponseItem } from "../../api/types";
import { Conversation } from "../../components/Conversation";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { dateTime, spell } from "../../components/format";
import { Markdown } from "../../components/Markdown";
import { Badge } from "../../components/Status";
import { t } from "../../texts";

export function AnswerPage() {
  const { slug = "", id = "" } = useParams();
  const query = useAnswer(id);
  const me = useMe().data;
  const answer = query.data;
  if (query.isPending) return <Loading />;
  if (answer === undefined)
    return (
      <div className="page">
        <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />
      </div>
    );
  const own = me?.username === answer.labeler;
  const role = me?.role === "admin" ? "admin" : me?.projects.find((each) => each.slug === slug)?.role;
  const reviewer = role === "admin" || role === "reviewer";
  return (
    <div className="page">
      {own && (
        <p>
          <Link to={`/p/${slug}/mine`}>{t.history.title}</Link>
        </p>
      )}
      <header className="page-head">
        <h1>{t.projects.one[answer.kind]}</h1>
        <span className="row">
          {reviewer && answer.kind === "ranking" && answer.task !== null && (
            <MakeGold slug={slug} answer={answer} />
          )}
          {own && answer.newest && (
            <Link className="button" to={`/p/${slug}/answers/${id}/edit`}>
              {t.history.edit}
            </Link>
          )}
        </span>
      </header>
      {!answer.newest && <p className="notice notice-warn">{t.history.replacedHelp}</p>}
      <Facts answer={answer} />
      <div className="answer">
        <section aria-label={t.conversation.label}>
          <Conversation messages={answer.messages} />
        </section>
        <section aria-label={t.history.answer}>
          {answer.reply ? <Conversation messages={answer.reply} /> : <Ranked answer={answer} />}
        </section>
      </div>
    </div>
  );
}

/** From then on each labeler gets the task once, silently, and is scored by it. */
function MakeGold({ slug, answer }: { slug: string; answer: AnswerWithTexts }) {
  const make = useMakeGold(slug);
  if (make.isSuccess)
    return (
      <span className="muted" role="status">
        {t.gold.made}
      </span>
    );
  return (
    <>
      {make.error && <ErrorNotice error={make.error} />}
      <button
        type="button"
        className="button"
        disabled={make.isPending}
        onClick={() =>
          make.mutate({ task: answer.task ?? "", ranks: answer.ranks, unacceptable: answer.unacceptable })
        }
      >
        {t.gold.make}
      </button>
    </>
  );
}

function Facts({ answer }: { answer: AnswerWithTexts }) {
  return (
    <dl className="facts panel">
      <Fact name={t.projects.labeler}>{answer.labeler ?? t.history.nobody}</Fact>
      <Fact name={t.history.when}>{dateTime(answer.created_at)}</Fact>
      <Fact name={t.history.time}>{answer.active_ms === null ? "–" : spell(answer.active_ms / 1000)}</Fact>
      <Fact name={t.work.guideline}>
        {answer.guideline_version === null ? "–" : t.history.version(answer.guideline_version)}
      </Fact>
      {answer.confidence !== null && (
        <Fact name={t.ranking.confidence}>{t.ranking.confidences[answer.confidence - 1] ?? "–"}</Fact>
      )}
      {answer.edit_distance !== null && <Fact name={t.history.editDistance}>{answer.edit_distance}</Fact>}
      {answer.rationale !== "" && <Fact name={t.ranking.rationale}>{answer.rationale}</Fact>}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Best first; what was not ranked or is unacceptable comes last, by the order in which it was shown. */
function Ranked({ answer }: { answer: AnswerWithTexts }) {
  const rank = (response: ResponseItem) => answer.ranks[response.id] ?? Infinity;
  const sorted = answer.responses.toSorted((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)));
  return (
    <ol className="ranked">
      {sorted.map((response) => {
        const place = answer.ranks[response.id] ?? null;
        const points = answer.likert[response.id];
        return (
          <li key={response.id} className="card">
            <header className="card-head still">
              {place !== null && <strong className="ranked-place">{t.ordinal(place)}</strong>}
              {answer.unacceptable.includes(response.id) && (
                <Badge tone="bad">{t.ranking.unacceptable}</Badge>
              )}
              {place === null && !answer.unacceptable.includes(response.id) && (
                <Badge tone="quiet">{t.ranking.unranked}</Badge>
              )}
              {points !== undefined && <Badge tone="quiet">{t.history.points(points)}</Badge>}
              {(answer.flags[response.id] ?? []).map((flag) => (
                <Badge key={flag} tone="busy">
                  {t.flag(flag)}
                </Badge>
              ))}
              <span className="muted">{t.history.shownAs(answer.order_shown.indexOf(response.id) + 1)}</span>
            </header>
            <div className="card-text">
              <Markdown text={response.text} />
            </div>
          </li>
        );
      })}
    </ol>
  );
}
