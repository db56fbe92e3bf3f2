import type { Style } from "../api/client.ts";

/** Size is a size of a style. */
export interface Size {
  readonly name: string;
  /** Number in stock, summed over its SKUs; never negative. */
  readonly quantity: number;
}

/** Maximum quantity that a customer can choose. */
export const mostChosen = 15;

/** sizesOf returns the sizes of a style in the order of their first SKUs. It merges SKUs of the same size. A style without SKUs has no sizes. */
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

/** styleToShow returns the style with an id, or else the default, or else the first, or undefined if there are no styles. */
export function styleToShow(styles: readonly Style[], id?: string | null): Style | undefined {
  return styles.find((style) => style.style_id === id) ?? styles.find((style) => style["default?"]) ?? styles[0];
}

/** othersOf returns related ids in order, without duplicates and without the product itself. */
export function othersOf(related: readonly string[], id: string): readonly string[] {
  return [...new Set(related)].filter((other) => other !== id);
}
