import { cancelledUnits, type Order, type OrderItem } from './order.ts';
import type { DiscountTerms, PricingTerms } from './pricing-terms.ts';

/** Money in minor units. */
export type OrderAmounts = Pick<
  Order,
  'subtotal' | 'discount' | 'taxAmount' | 'shippingCost' | 'totalAmount'
>;

/** Hundredths of a percent in one. */
const whole = 10_000;

/** What an order costs. The same items and terms cost the same, for ever. */
export function priceOrder(
  items: readonly Pick<OrderItem, 'unitPrice' | 'quantity'>[],
  terms: PricingTerms | undefined,
): OrderAmounts {
  const subtotal = items.reduce((sum, item) => sum + item.unitPrice * item.quantity, 0);
  if (!terms)
    return { subtotal, discount: 0, taxAmount: 0, shippingCost: 0, totalAmount: subtotal };
  const discount = discountOf(subtotal, terms.discount);
  const goods = subtotal - discount;
  const taxAmount = share(goods, terms.taxRate, whole);
  const { flat, freeFrom } = terms.shipping;
  const shippingCost = freeFrom !== undefined && goods >= freeFrom ? 0 : flat;
  return {
    ...{ subtotal, discount, taxAmount, shippingCost },
    totalAmount: goods + taxAmount + shippingCost,
  };
}

function discountOf(subtotal: number, discount: DiscountTerms | undefined): number {
  if (!discount) return 0;
  const { kind, value } = discount;
  return Math.min(subtotal, kind === 'amount' ? value : share(subtotal, value, whole));
}

/**
 * What an order costs as it is now, in minor units: nothing once it is over, and for what is left of
 * it the share of discount and tax that its goods have. Shipping is paid for as long as anything is
 * shipped. It never rises.
 */
export function amountDue(
  order: OrderAmounts & Pick<Order, 'status' | 'items' | 'history'>,
): number {
  if (over.includes(order.status)) return 0;
  const cancelled = cancelledUnits(order);
  if (cancelled.size === 0) return order.totalAmount;
  const left = order.items.reduce(
    (sum, { productId, quantity, unitPrice }) =>
      sum + (quantity - (cancelled.get(productId) ?? 0)) * unitPrice,
    0,
  );
  const goods = order.subtotal - order.discount;
  const goodsLeft = share(goods, left, order.subtotal);
  return goodsLeft + share(order.taxAmount, goodsLeft, goods) + order.shippingCost;
}

const over: readonly Order['status'][] = ['CANCELLED', 'EXPIRED', 'FAILED', 'REFUNDED'];

/** `amount * part / of`, rounded half up; exact where the product is past 2^53. */
function share(amount: number, part: number, of: number): number {
  if (of === 0) return 0;
  return Number((BigInt(amount) * BigInt(part) * 2n + BigInt(of)) / (2n * BigInt(of)));
}
