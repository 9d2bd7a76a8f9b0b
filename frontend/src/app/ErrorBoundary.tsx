import { Component, type ReactNode } from "react";
import { useRouteError } from "react-router";
import { asApiError } from "../api/client";
import { t } from "../texts";

/** The last net: says what happened instead of a white page. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    return this.state.error === null ? this.props.children : <Broken error={this.state.error} />;
  }
}

export function RouteError() {
  return <Broken error={useRouteError()} />;
}

function Broken({ error }: { error: unknown }) {
  const problem = asApiError(error);
  return (
    <main className="page narrow">
      <h1>{t.errors.boundaryTitle}</h1>
      <p>{t.errors.boundaryHelp}</p>
      <p className="notice notice-bad" role="alert">
        {problem.detail} <span className="code">{problem.code}</span>
      </p>
      <button type="button" className="button primary" onClick={() => window.location.reload()}>
        {t.errors.reload}
      </button>
    </main>
  );
}
