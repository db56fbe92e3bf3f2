import { Component, type ReactNode } from "react";
import { Refusal } from "./api/client.ts";

/** Message replaces the content of a page that has nothing to show. */
export function Message({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <section className="message">
      <title>{`${title} · systemScale`}</title>
      <h1 tabIndex={-1}>{title}</h1>
      {children}
    </section>
  );
}

interface Failure {
  error: Error;
  retrying: boolean;
  onRetry: () => void;
  children?: ReactNode;
}

/** Unreachable is the Message of a failed request. Its query retries, so the message disappears when the API is back. */
export function Unreachable({ error, retrying, onRetry, children }: Failure) {
  const refused = error instanceof Refusal;
  return (
    <Message title={refused && !error.passing ? "The catalog rejected this request" : "The catalog cannot be reached"}>
      <p>
        {refused && !error.passing
          ? error.message
          : "The server did not respond. The network may be down, or the catalog may be restarting."}
      </p>
      <p className="faint">This page retries every few seconds.</p>
      <button type="button" className="button" aria-busy={retrying} onClick={onRetry}>
        Try again
      </button>
      {children}
    </Message>
  );
}

/** Guard is an error boundary for one page. Its key must be the page's address. */
export class Guard extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <Message title="This page failed">
        <p>This is an error in the storefront. Reloading the page may help.</p>
        <button type="button" className="button" onClick={() => window.location.reload()}>
          Reload
        </button>
      </Message>
    );
  }
}
