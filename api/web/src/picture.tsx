import { useState } from "react";

/**
 * Picture shows a photo in a box of fixed size. The box shows a placeholder until the photo has loaded, and if it fails to load: not every
 * address in the data resolves.
 */
export function Picture({ url, label, initial, first = false }: { url: string | null; label: string; initial: string; first?: boolean }) {
  const [state, setState] = useState<{ url: string | null; is: "loading" | "there" | "missing" }>({ url, is: "loading" });
  const is = !url ? "missing" : state.url === url ? state.is : "loading";
  return (
    <span className="picture" data-state={is}>
      <Placeholder initial={initial} />
      {is === "missing" && label && <span className="hidden">{`${label} (no picture)`}</span>}
      {url && is !== "missing" && (
        <img
          key={url}
          src={url}
          alt={label}
          decoding="async"
          referrerPolicy="no-referrer"
          loading={first ? "eager" : "lazy"}
          fetchPriority={first ? "high" : "auto"}
          onLoad={() => setState({ url, is: "there" })}
          onError={() => setState({ url, is: "missing" })}
        />
      )}
    </span>
  );
}

/** Placeholder is a letter on a colored background. */
export function Placeholder({ initial }: { initial: string }) {
  const letter = /\p{L}|\p{N}/u.exec(initial)?.[0]?.toUpperCase() ?? "·";
  return (
    <span className="placeholder" aria-hidden="true" data-tint={letter.codePointAt(0)! % 6}>
      {letter}
    </span>
  );
}
