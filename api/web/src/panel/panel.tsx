import { useExchanges, type Exchange } from "../api/exchanges.ts";

/** Panel shows developers the requests of the page: responses, cache status, duration and size. */
export function Panel({ onClose }: { onClose: () => void }) {
  const { exchanges, requests, bytes, version } = useExchanges((state) => state);
  return (
    <aside className="panel" aria-label="Developer panel">
      <header>
        <dl>
          <div>
            <dt>Data version</dt>
            <dd>{version ?? "–"}</dd>
          </div>
          <div>
            <dt>Requests</dt>
            <dd>{requests}</dd>
          </div>
          <div>
            <dt>Over the wire</dt>
            <dd>{size(bytes)}</dd>
          </div>
        </dl>
        <button type="button" className="quiet" onClick={onClose}>
          Close
        </button>
      </header>
      {/* biome-ignore lint/a11y/useSemanticElements: a scrollable region must be reachable by keyboard */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard */}
      <div className="scroll" tabIndex={0} role="region" aria-label="Requests">
        <table>
          <thead>
            <tr>
              <th scope="col">Request</th>
              <th scope="col">Status</th>
              <th scope="col">Cache</th>
              <th scope="col">Version</th>
              <th scope="col">Time</th>
              <th scope="col">Bytes</th>
              <th scope="col">Server-Timing</th>
            </tr>
          </thead>
          <tbody>
            {exchanges.map((exchange) => (
              <Row key={exchange.number} {...exchange} />
            ))}
          </tbody>
        </table>
      </div>
    </aside>
  );
}

function Row({ path, status, cache, version, duration, bytes, timing }: Exchange) {
  const outcome = status !== undefined ? String(status) : duration !== undefined ? "no answer" : "…";
  return (
    <tr data-bad={(status ?? 0) >= 400 || outcome === "no answer"}>
      <th scope="row">{path}</th>
      <td>{outcome}</td>
      <td>{cache ?? "–"}</td>
      <td>{version ?? "–"}</td>
      <td>{duration === undefined ? "–" : `${duration.toFixed(duration < 10 ? 1 : 0)} ms`}</td>
      <td>{bytes === undefined ? "–" : size(bytes)}</td>
      <td>{timing ?? "–"}</td>
    </tr>
  );
}

function size(bytes: number): string {
  return bytes < 1000 ? `${bytes} B` : bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
