import { useState } from "react";
import type { Style } from "../api/client.ts";
import { Picture } from "../picture.tsx";
import { formatPrice, multiplyPrice } from "../price.ts";
import { quantitiesOf, type Size, sizesOf } from "./stock.ts";

/** Choice selects a style, a size and a quantity. The parent keeps the style, which is part of the address. */
export function Choice({ styles, chosen, onChoose }: { styles: readonly Style[]; chosen: Style; onChoose: (style: Style) => void }) {
  const [sizeName, setSizeName] = useState<string>();
  const [wanted, setWanted] = useState(1);
  const sizes = sizesOf(chosen);
  const size = sizes.find(({ name, quantity }) => name === sizeName && quantity > 0);
  const price = chosen.sale_price ?? chosen.original_price;
  return (
    <div className="choice">
      <fieldset>
        <legend>
          <span>Style</span> {chosen.name}
        </legend>
        <div className="swatches" role="radiogroup" aria-label="Style">
          {styles.map((style) => (
            <label key={style.style_id} className="swatch" title={style.name}>
              <input type="radio" name="style" aria-label={style.name} checked={style === chosen} onChange={() => onChoose(style)} />
              <Picture url={style.photos[0]?.thumbnail_url ?? null} label="" initial={style.name} />
              {style.sale_price !== null && (
                <span className="sale" aria-hidden="true">
                  Sale
                </span>
              )}
            </label>
          ))}
        </div>
      </fieldset>
      {sizes.some((each) => each.quantity > 0) ? (
        <>
          <Sizes sizes={sizes} chosen={size} onChoose={setSizeName} />
          <Sum price={price} size={size} wanted={wanted} onWanted={setWanted} />
        </>
      ) : (
        <p className="note">{sizes.length === 0 ? "The sizes of this style are unknown." : "This style is sold out."}</p>
      )}
    </div>
  );
}

function Sizes({ sizes, chosen, onChoose }: { sizes: readonly Size[]; chosen: Size | undefined; onChoose: (name: string) => void }) {
  return (
    <fieldset>
      <legend>
        <span>Size</span> {chosen ? `${chosen.name} · ${stockOf(chosen)}` : "choose one"}
      </legend>
      <div className="sizes" role="radiogroup" aria-label="Size">
        {sizes.map((each) => (
          <label key={each.name} className="size">
            <input
              type="radio"
              name="size"
              aria-label={each.quantity > 0 ? each.name : `${each.name}, sold out`}
              disabled={each.quantity === 0}
              checked={each === chosen}
              onChange={() => onChoose(each.name)}
            />
            <span aria-hidden="true">{each.name}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function stockOf({ quantity }: Size): string {
  return quantity === 1 ? "the last one" : `${quantity.toLocaleString("en-US")} left`;
}

interface SumProperties {
  price: string;
  size: Size | undefined;
  wanted: number;
  onWanted: (quantity: number) => void;
}

/** Sum lets the customer choose a quantity of a size, and shows the total. */
function Sum({ price, size, wanted, onWanted }: SumProperties) {
  const quantities = size ? quantitiesOf(size) : [];
  const quantity = Math.min(wanted, quantities.length || 1);
  return (
    <div className="sum">
      <label>
        <span>Quantity</span>
        <select aria-label="Quantity" disabled={!size} value={quantity} onChange={(event) => onWanted(Number(event.target.value))}>
          {size ? quantities.map((each) => <option key={each}>{each}</option>) : <option value={1}>–</option>}
        </select>
      </label>
      <output aria-label="Total" className="total">
        {size ? (
          <>
            <span>Total</span> {formatPrice(multiplyPrice(price, quantity))}
          </>
        ) : (
          <span>Choose a size first</span>
        )}
      </output>
    </div>
  );
}
