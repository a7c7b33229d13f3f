import type { PricingTerms } from '@quicksale/shared/orders';
import type { Clock } from '@quicksale/shared/process';
import { isValidFor, termsOf, upperCode, type Discount } from './discount.ts';
import type { DiscountUses, UseAttempt } from './discount-uses.ts';
import { pricingTerms, type MerchantSettings } from './merchant-settings.ts';
import type { ReadThrough } from './read-through.ts';
import { joinUse, takeUse, type TakeUseDeps, type UseTaken } from './take-use.ts';

/** What intake has to know of prices beside those of the ledger. */
export interface Pricing {
  /**
   * What the merchant adds now; undefined where nothing is. Throws AppError `dependency-unavailable`
   * when it cannot be told: an order is not made at a wrong price.
   */
  termsOf(merchantId: string): Promise<PricingTerms | undefined>;
  /** Takes a use of a code for one attempt to make an order. */
  takeDiscount(wish: DiscountWish): Promise<DiscountTaken>;
  /** The attempt was refused: the use is free again, unless another attempt may have it. */
  giveBack(taken: TakenUse): Promise<void>;
}

export interface DiscountWish extends Omit<UseAttempt, 'at'> {
  code: string;
  merchantId: string;
  currency: string;
}

export interface TakenUse {
  id: string;
  discountId: string;
  /** Milliseconds since the epoch. */
  takenAtMs: number;
  /** With those of the merchant. */
  terms: PricingTerms | undefined;
}

export type DiscountTaken =
  | ({ status: 'taken' } & TakenUse)
  | Exclude<UseTaken, { status: 'taken' }>
  /** Unknown, not valid now, of another merchant, in another currency: one answer for all. */
  | { status: 'unknown_discount' };

/** Orders of which a merchant's code takes something off, and what else is added to a price. */
export function createPricing(deps: {
  clock: Clock;
  random: TakeUseDeps['random'];
  settings: ReadThrough<MerchantSettings>;
  /** By `discountKey`. */
  discounts: ReadThrough<Discount | undefined>;
  uses: DiscountUses;
}): Pricing {
  return {
    termsOf: async (merchantId) => pricingTerms(await deps.settings.get(merchantId)),

    takeDiscount: async ({ code, merchantId, currency, ...wish }) => {
      const settings = await deps.settings.get(merchantId);
      const discount = await deps.discounts.get(discountKey(merchantId, code));
      if (!discount) return { status: 'unknown_discount' };
      const takenAtMs = deps.clock.now();
      const attempt = { ...wish, at: new Date(takenAtMs) };
      const isValid = isValidFor(discount, { currency, nowMs: takenAtMs });
      // What was taken while it was valid stays taken: a repeat is answered as the first was.
      const taken = isValid ? await takeUse(deps, discount, attempt) : await joinUse(deps, attempt);
      if (!taken) return { status: 'unknown_discount' };
      if (taken.status !== 'taken') return taken;
      return {
        ...{ status: 'taken', id: wish.id, discountId: discount.id, takenAtMs },
        terms: pricingTerms(settings, termsOf(discount)),
      };
    },

    giveBack: (taken) => deps.uses.giveUp(taken),
  };
}

export const discountKey = (merchantId: string, code: string): string =>
  `${merchantId}/${upperCode(code)}`;
