/** One item under review: what everybody answered, side by side, and the decision. */
import { Link, useParams } from "react-router";
import { useCase } from "../../api/review";
import type { CaseDetail } from "../../api/types";
import { Conversation } from "../../components/Conversation";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { dateTime, percent } from "../../components/format";
import { spelledOut } from "../../components/invisible";
import { Markdown } from "../../components/Markdown";
import { Badge } from "../../components/Status";
import { t } from "../../texts";
import { Settle } from "./Settle";

export function CasePage() {
  const { slug = "", id = "" } = useParams();
  const query = useCase(id);
  const found = query.data;
  if (query.isPending) return <Loading />;
  if (found === undefined)
    return (
      <div className="page">
        <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />
      </div>
    );
  return (
    <div className="page">
      <p>
        <Link to={`/p/${slug}/review`}>{t.review.all}</Link>
      </p>
      <h1>
        {t.review.one} <Badge tone="busy">{t.review.why[found.why]}</Badge>
      </h1>
      {found.state !== "open" && (
        <p className="notice notice-good">
          {t.review.closed(t.review.states[found.state], found.closed_by ?? "–", dateTime(found.closed_at))}{" "}
          {spelledOut(found.reason)}
        </p>
      )}
      <p className="muted">
        {found.agreement === null ? t.review.noPairs : t.review.agree(percent(found.agreement))}
        {found.cycle && ` · ${t.quality.ambiguous}`}
      </p>
      <Conversation messages={found.messages} />
      {found.responses.length > 0 && <Places found={found} />}
      <ol className="ranked">
        {found.responses.map((response, index) => (
          <li key={response.id} className="card">
            <header className="card-head still">
              <kbd className="card-number">{index + 1}</kbd>
              <span className="muted">{spelledOut(response.source)}</span>
            </header>
            <div className="card-text">
              <Markdown text={response.text} />
            </div>
          </li>
        ))}
      </ol>
      {found.answers
        .filter((answer) => answer.reply !== null)
        .map((answer) => (
          <section key={answer.id} className="panel" aria-label={answer.labeler ?? t.history.nobody}>
            <h2>{answer.labeler ?? t.history.nobody}</h2>
            <Conversation messages={answer.reply ?? []} />
          </section>
        ))}
      {found.skips.length > 0 && (
        <section className="panel" aria-labelledby="skips">
          <h2 id="skips">{t.review.skips}</h2>
          <ul className="list">
            {found.skips.map((skip) => (
              <li key={skip.labeler}>
                <strong>{skip.labeler}</strong>
                <span>{reasonOf(skip.reason)}</span>
                <span className="muted">{spelledOut(skip.comment)}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {found.state === "open" && <Settle slug={slug} found={found} />}
    </div>
  );
}

function reasonOf(reason: string): string {
  return (t.skip.reasons as Readonly<Record<string, string>>)[reason] ?? spelledOut(reason);
}

/** Who put which response where. */
function Places({ found }: { found: CaseDetail }) {
  const ranked = found.answers.filter((answer) => answer.reply === null && answer.newest);
  const place = (ranks: Record<string, number | null>, bad: string[], id: string) =>
    bad.includes(id) ? t.review.bad : (ranks[id]?.toString() ?? "–");
  return (
    <div className="scroll-x">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{t.projects.labeler}</th>
            {found.responses.map((response, index) => (
              <th key={response.id} scope="col" className="num">
                {t.ranking.response(index + 1)}
              </th>
            ))}
            <th scope="col">{t.ranking.rationale}</th>
          </tr>
        </thead>
        <tbody>
          {ranked.map((answer) => (
            <tr key={answer.id}>
              <th scope="row">{answer.labeler ?? t.quality.imported(answer.origin)}</th>
              {found.responses.map((response) => (
                <td key={response.id} className="num">
                  {place(answer.ranks, answer.unacceptable, response.id)}
                </td>
              ))}
              <td className="wrap">{spelledOut(answer.rationale)}</td>
            </tr>
          ))}
          {found.merged && (
            <tr>
              <th scope="row">{t.review.merged}</th>
              {found.responses.map((response) => (
                <td key={response.id} className="num">
                  {place(found.merged?.ranks ?? {}, found.merged?.unacceptable ?? [], response.id)}
                </td>
              ))}
              <td />
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}
