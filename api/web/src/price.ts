/** formatPrice formats a price of the API, such as "1250.00", as $1,250.00. It returns other texts unchanged. */
export function formatPrice(price: string): string {
  const match = /^(-?)(\d+)\.(\d{2})$/.exec(price);
  if (!match) return price;
  const [, sign, whole, cents] = match;
  // Not with Number, which would round amounts above 90 trillion.
  return `${sign}$${whole!.replace(/\B(?=(\d{3})+$)/g, ",")}.${cents}`;
}

/** multiplyPrice returns the price of a quantity, in the API's form. */
export function multiplyPrice(price: string, quantity: number): string {
  const cents = BigInt(price.replace(".", "")) * BigInt(quantity);
  const digits = (cents < 0n ? -cents : cents).toString().padStart(3, "0");
  return `${cents < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
