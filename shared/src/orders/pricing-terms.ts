/** What a code takes off: hundredths of a percent of the subtotal, or minor units. */
export interface DiscountTerms {
  code: string;
  kind: 'percentage' | 'amount';
  value: number;
}

/** What a merchant adds to prices and takes off, as it was when the order was placed. */
export interface PricingTerms {
  /** Hundredths of a percent, on the goods after the discount: 1900 is 19 %. */
  taxRate: number;
  /** Minor units; free from so much on, after the discount. */
  shipping: { flat: number; freeFrom?: number };
  discount?: DiscountTerms;
}
