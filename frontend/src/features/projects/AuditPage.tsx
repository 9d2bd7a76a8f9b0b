/** Who did what and when, newest first. Nothing here can be changed. */
import { useParams } from "react-router";
import { useAudit } from "../../api/projects";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { dateTime } from "../../components/format";
import { spelledOut } from "../../components/invisible";
import { t } from "../../texts";

export function AuditPage() {
  const { slug = "" } = useParams();
  const audit = useAudit(slug);
  const rows = audit.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <div className="page">
      <h1>{t.audit.title}</h1>
      {audit.isPending && <Loading />}
      {audit.error && <ErrorNotice error={audit.error} onRetry={() => void audit.refetch()} />}
      {audit.data && rows.length === 0 && <p className="empty">{t.audit.empty}</p>}
      {rows.length > 0 && (
        <div className="scroll-x">
          <table className="table stacked">
            <thead>
              <tr>
                <th scope="col">{t.audit.when}</th>
                <th scope="col">{t.audit.who}</th>
                <th scope="col">{t.audit.what}</th>
                <th scope="col">{t.audit.subject}</th>
                <th scope="col">{t.audit.details}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row, index) => (
                <tr key={index}>
                  <td className="nowrap" data-label={t.audit.when}>
                    {dateTime(row.created_at)}
                  </td>
                  <td data-label={t.audit.who}>{row.actor ?? t.audit.system}</td>
                  <td data-label={t.audit.what}>{t.words(row.action)}</td>
                  <td className="code" data-label={t.audit.subject}>
                    {spelledOut(row.subject)}
                  </td>
                  <td className="wrap">{detailsOf(row.details)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {audit.hasNextPage && (
        <button type="button" className="button" onClick={() => void audit.fetchNextPage()}>
          {t.common.more}
        </button>
      )}
    </div>
  );
}

/** One `name: value` for each detail, in the server's own words. */
function detailsOf(details: unknown): string {
  if (typeof details !== "object" || details === null) return "";
  return Object.entries(details)
    .map(([name, value]) => `${t.words(name)}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .map(spelledOut)
    .join(" · ");
}
