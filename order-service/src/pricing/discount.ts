import type { DiscountTerms } from '@quicksale/shared/orders';

/** A code of a merchant that takes something off. What it takes off never changes. */
export interface Discount extends DiscountTerms {
  id: string;
  merchantId: string;
  /** Of an amount: orders in another currency do not have it. */
  currency?: string;
  /** How often it may be used, and by one buyer; any number of times when absent. */
  usesTotal?: number;
  usesPerUser?: number;
  startsAt?: Date;
  endsAt?: Date;
  active: boolean;
  version: number;
  createdAt: Date;
}

/** What may be changed; `endsAt: null` takes the end away. */
export interface DiscountChange {
  active?: boolean;
  endsAt?: Date | null;
  usesTotal?: number;
}

export interface DiscountStore {
  /** The id of the discount that has the code when it is taken. */
  insert(discount: Discount): Promise<{ takenBy: string } | undefined>;
  find(id: string): Promise<Discount | undefined>;
  findByCode(merchantId: string, code: string): Promise<Discount | undefined>;
  /** Newest first. */
  list(merchantId: string, page: { before?: string; limit: number }): Promise<Discount[]>;
  /** Changes it if it still has this version; undefined when it has not. */
  change(discount: Discount, change: DiscountChange): Promise<Discount | undefined>;
}

/** A code as it is kept: what buyers type may be in lower case. */
export const upperCode = (code: string): string => code.toUpperCase();

/** Whether an order may have the discount now. */
export function isValidFor(
  { active, startsAt, endsAt, kind, currency }: Discount,
  order: { currency: string; nowMs: number },
): boolean {
  if (!active) return false;
  if (startsAt && order.nowMs < startsAt.getTime()) return false;
  if (endsAt && order.nowMs >= endsAt.getTime()) return false;
  return kind === 'percentage' || currency === order.currency;
}

/** What goes into the terms of an order. */
export const termsOf = ({ code, kind, value }: Discount): DiscountTerms => ({ code, kind, value });
