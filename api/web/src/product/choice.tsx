import { useState } from "react";
import type { Style } from "../api/client.ts";
import { Picture } from "../picture.tsx";
import { formatPrice, multiplyPrice } from "../price.ts";
import { quantitiesOf, sizesOf } from "./stock.ts";

/** Choice is style, size and quantity. The style is in the address and chosen by whoever shows this; the others are remembered here. */
export function Choice({ styles, chosen, onChoose }: { styles: readonly Style[]; chosen: Style; onChoose: (style: Style) => void }) {
  const [sizeName, setSizeName] = useState<string>();
  const [wanted, setWanted] = useState(1);
  const sizes = sizesOf(chosen);
  const size = sizes.find(({ name, quantity }) => name === sizeName && quantity > 0);
  const quantities = size ? quantitiesOf(size) : [];
  const quantity = Math.min(wanted, quantities.length || 1);
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
      {sizes.length === 0 ? (
        <p className="note">The sizes of this style are unknown.</p>
      ) : sizes.every((each) => each.quantity === 0) ? (
        <p className="note">This style is sold out.</p>
      ) : (
        <>
          <fieldset>
            <legend>
              <span>Size</span> {size ? `${size.name} · ${size.quantity === 1 ? "the last one" : `${size.quantity.toLocaleString("en-US")} left`}` : "choose one"}
            </legend>
            <div className="sizes" role="radiogroup" aria-label="Size">
              {sizes.map((each) => (
                <label key={each.name} className="size">
                  <input
                    type="radio"
                    name="size"
                    aria-label={each.quantity > 0 ? each.name : `${each.name}, sold out`}
                    disabled={each.quantity === 0}
                    checked={each === size}
                    onChange={() => setSizeName(each.name)}
                  />
                  <span aria-hidden="true">{each.name}</span>
                </label>
              ))}
            </div>
          </fieldset>
          <div className="sum">
            <label>
              <span>Quantity</span>
              <select aria-label="Quantity" disabled={!size} value={quantity} onChange={(event) => setWanted(Number(event.target.value))}>
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
        </>
      )}
    </div>
  );
}
