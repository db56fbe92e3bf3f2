import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { Link, Route, Switch, useLocation } from "wouter";
import { useExchanges } from "./api/exchanges.ts";
import { Catalog } from "./catalog/catalog.tsx";
import { Guard, Message } from "./message.tsx";
import { Panel } from "./panel/panel.tsx";
import { ProductPage } from "./product/product.tsx";

export function App() {
  const [panel, setPanel] = useState(false);
  useKey("d", () => setPanel((open) => !open));
  const [path] = useLocation();
  useNavigation(path);
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className="top">
        <Link href="/" className="wordmark">
          system<span>Scale</span>
        </Link>
        <nav aria-label="Main">
          <Link href="/">Catalog</Link>
          <a href="/docs">API</a>
        </nav>
      </header>
      <Away />
      <main id="main" tabIndex={-1}>
        <Guard key={path}>
          <Switch>
            <Route path="/">
              <Catalog />
            </Route>
            <Route path="/item/:id">{({ id }) => <ProductPage key={id} address={id} />}</Route>
            <Route>
              <Message title="There is nothing at this address">
                <Link href="/" className="button">
                  Go to the catalog
                </Link>
              </Message>
            </Route>
          </Switch>
        </Guard>
      </main>
      <Footer panel={panel} onPanel={() => setPanel(!panel)} />
      {panel && <Panel onClose={() => setPanel(false)} />}
    </>
  );
}

function Footer({ panel, onPanel }: { panel: boolean; onPanel: () => void }) {
  const version = useExchanges((state) => state.version);
  return (
    <footer className="bottom">
      <p>{version ? `Data version ${version}` : " "}</p>
      <p>
        <a href="/openapi.yaml">OpenAPI</a>
        <button type="button" className="quiet" aria-expanded={panel} aria-keyshortcuts="d" onClick={onPanel}>
          Developer panel <kbd aria-hidden="true">d</kbd>
        </button>
      </p>
    </footer>
  );
}

/** Away warns that the data on screen may be out of date because the API does not respond. */
function Away() {
  const away = useExchanges((state) => state.away);
  const client = useQueryClient();
  // A page without data shows its own, larger message.
  const something = client
    .getQueryCache()
    .getAll()
    .some((query) => query.isActive() && query.state.data !== undefined);
  return (
    <div role="status">
      {away && something && (
        <div className="away">
          <p>The catalog cannot be reached. You see the last loaded data, which updates when the catalog is back.</p>
          <button type="button" className="quiet" onClick={() => void client.refetchQueries({ type: "active" })}>
            Try now
          </button>
        </div>
      )}
    </div>
  );
}

/** useNavigation scrolls to the top and moves the focus, for screen readers, as a browser does after loading a page. */
function useNavigation(path: string) {
  const last = useRef(path);
  useEffect(() => {
    const toTop = () => window.scrollTo(0, 0);
    // wouter's event for a followed link. When the user goes back, the browser restores the scroll position.
    window.addEventListener("pushState", toTop);
    return () => window.removeEventListener("pushState", toTop);
  }, []);
  useEffect(() => {
    if (last.current === path) return;
    last.current = path;
    document.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });
  }, [path]);
}

/** useKey calls action when key is pressed outside of text fields. */
function useKey(key: string, action: () => void) {
  const latest = useRef(action);
  latest.current = action;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const writing = event.target instanceof Element && event.target.closest("input:not([type=radio]), select, textarea");
      if (event.key === key && !event.ctrlKey && !event.metaKey && !event.altKey && !writing) latest.current();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, [key]);
}
