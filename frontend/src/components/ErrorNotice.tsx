import { asApiError } from "../api/client";
import { t } from "../texts";

/** What went wrong, in the server's own sentence, and a way to try again. */
export function ErrorNotice({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const problem = asApiError(error);
  return (
    <div className="notice notice-bad" role="alert">
      <p>
        {problem.offline ? t.errors.offline : problem.detail}
        {problem.status > 0 && <span className="code"> {problem.code}</span>}
      </p>
      {onRetry && (
        <button type="button" className="button small" onClick={onRetry}>
          {t.common.retry}
        </button>
      )}
    </div>
  );
}

export function Loading({ what }: { what?: string }) {
  return (
    <p className="loading" role="status">
      {what ?? t.common.loading}
    </p>
  );
}
