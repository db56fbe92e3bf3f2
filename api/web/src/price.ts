/** formatPrice writes a price of the API, such as "1250.00", for people: $1,250.00. What is no price stays as it is. */
export function formatPrice(price: string): string {
  const match = /^(-?)(\d+)\.(\d{2})$/.exec(price);
  if (!match) return price;
  const [, sign, whole, cents] = match;
  // By hand: a number of the language would round what is beyond 90 trillion.
  return `${sign}$${whole!.replace(/\B(?=(\d{3})+$)/g, ",")}.${cents}`;
}

/** multiplyPrice returns the price of several, in the API's form. */
export function multiplyPrice(price: string, quantity: number): string {
  const cents = BigInt(price.replace(".", "")) * BigInt(quantity);
  const digits = (cents < 0n ? -cents : cents).toString().padStart(3, "0");
  return `${cents < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
