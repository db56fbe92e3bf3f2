import { useRef, useState, type KeyboardEvent } from "react";
import type { Style } from "../api/client.ts";
import { Picture } from "../picture.tsx";

/** Gallery shows the photos of a style, one of them large. A style without photos has one photo whose URLs are null. */
export function Gallery({ name, style }: { name: string; style: Style | undefined }) {
  const photos = style?.photos ?? [];
  const [chosen, setChosen] = useState(0);
  const thumbnails = useRef<HTMLUListElement>(null);
  // A new version may have fewer photos.
  const at = Math.min(chosen, Math.max(0, photos.length - 1));
  const photo = photos[at];
  const none = !photos.some(({ url, thumbnail_url }) => url || thumbnail_url);

  const show = (index: number) => {
    const next = (index + photos.length) % photos.length;
    setChosen(next);
    thumbnails.current?.children[next]?.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  const turn = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0 || photos.length < 2) return;
    event.preventDefault();
    show(at + step);
  };
  const label = style ? `${name}, ${style.name}` : name;
  return (
    <section className="gallery" aria-label="Photos" onKeyDown={turn}>
      <div className="frame">
        <Picture
          first
          url={photo?.url ?? null}
          initial={name}
          label={none ? "" : photos.length > 1 ? `${label}, photo ${at + 1} of ${photos.length}` : label}
        />
        {none && <p className="caption">No photos of this {style ? "style" : "product"}</p>}
        {photos.length > 1 && (
          <>
            <button type="button" className="turn previous" aria-label="Previous photo" onClick={() => show(at - 1)}>
              ‹
            </button>
            <button type="button" className="turn next" aria-label="Next photo" onClick={() => show(at + 1)}>
              ›
            </button>
            <p className="caption" aria-live="polite">
              <span className="hidden">Photo </span>
              {at + 1} / {photos.length}
              <span className="absent"> · did not load</span>
            </p>
          </>
        )}
      </div>
      {photos.length > 1 && (
        <ul className="thumbnails" ref={thumbnails} aria-label="Thumbnails">
          {photos.map(({ thumbnail_url }, i) => (
            <li key={i}>
              <button type="button" aria-label={`Photo ${i + 1} of ${photos.length}`} aria-current={i === at} onClick={() => show(i)}>
                <Picture url={thumbnail_url} label="" initial={name} />
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

export function GallerySkeleton() {
  return (
    <div className="gallery" aria-hidden="true">
      <div className="frame bone" />
      <ul className="thumbnails">
        {Array.from({ length: 5 }, (_, i) => (
          <li key={i}>
            <span className="bone picture" />
          </li>
        ))}
      </ul>
    </div>
  );
}
