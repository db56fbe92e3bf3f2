import type { Style } from "../api/client.ts";

/** Size is what one size of a style comes to. */
export interface Size {
  readonly name: string;
  /** How many there are of all its SKUs together; never negative. */
  readonly quantity: number;
}

/** Most of one thing that a customer may choose. */
export const mostChosen = 15;

/** sizesOf returns a style's sizes in the order of their first SKUs. Several SKUs of one size are one to a customer. A style without SKUs has none. */
export function sizesOf(style: Style): readonly Size[] {
  const quantities = new Map<string, number>();
  for (const { size, quantity } of Object.values(style.skus)) {
    if (size === null) continue;
    quantities.set(size, (quantities.get(size) ?? 0) + Math.max(0, Number(quantity ?? 0)));
  }
  return [...quantities].map(([name, quantity]) => ({ name, quantity }));
}

/** quantitiesOf returns the quantities that can be chosen of a size: 1 to mostChosen. */
export function quantitiesOf(size: Size): readonly number[] {
  return Array.from({ length: Math.min(size.quantity, mostChosen) }, (_, i) => i + 1);
}

/** styleToShow returns the style with that id; else the default, else the first; or undefined if there is none at all. */
export function styleToShow(styles: readonly Style[], id?: string | null): Style | undefined {
  return styles.find((style) => style.style_id === id) ?? styles.find((style) => style["default?"]) ?? styles[0];
}

/** othersOf returns related ids as they are shown: in their order, each once, and not the product itself. */
export function othersOf(related: readonly string[], id: string): readonly string[] {
  return [...new Set(related)].filter((other) => other !== id);
}
