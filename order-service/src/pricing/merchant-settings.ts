import type { DiscountTerms, PricingTerms } from '@quicksale/shared/orders';

/** What a merchant adds to the prices of all products. */
export interface MerchantSettings {
  merchantId: string;
  /** Hundredths of a percent: 1900 is 19 %. */
  taxRate: number;
  /** Minor units; free from so much on, after the discount. */
  shipping: { flat: number; freeFrom?: number };
  /** 0 until they are set for the first time. */
  version: number;
  updatedAt?: Date;
}

export interface MerchantSettingsStore {
  /** Those of a merchant who has never set any are `unsetSettings`. */
  read(merchantId: string): Promise<MerchantSettings>;
  /** Writes them if they still have the version before this one; false when they have not. */
  write(settings: MerchantSettings & { updatedAt: Date }): Promise<boolean>;
}

/** Nothing is added. */
export const unsetSettings = (merchantId: string): MerchantSettings => ({
  merchantId,
  taxRate: 0,
  shipping: { flat: 0 },
  version: 0,
});

/** The terms that an order is made under; undefined when nothing is added or taken off. */
export function pricingTerms(
  { taxRate, shipping }: Pick<MerchantSettings, 'taxRate' | 'shipping'>,
  discount?: DiscountTerms,
): PricingTerms | undefined {
  if (taxRate === 0 && shipping.flat === 0 && !discount) return undefined;
  return { taxRate, shipping, ...(discount && { discount }) };
}
