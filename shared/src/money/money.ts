/** Digits after the point on the wire. Inside, money is whole minor units. */
const minorPerMajor = 100;

/** Minor units as the number that the API shows: 9999 -> 99.99. */
export const toWire = (minor: number): number => minor / minorPerMajor;

/** A number of the API as minor units: 99.99 -> 9999. The caller has checked its two decimals. */
export const fromWire = (amount: number): number => Math.round(amount * minorPerMajor);
