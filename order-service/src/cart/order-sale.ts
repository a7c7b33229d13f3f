import { AppError, toAppError } from '@quicksale/shared/errors';
import { toWire } from '@quicksale/shared/money';
import type { Order } from '@quicksale/shared/orders';
import { holdId } from '@quicksale/shared/stock-ledger';
import { placeOrder, type PlaceOrderDeps } from '../intake/place-order.ts';
import { refusalError } from '../intake/refusal.ts';
import { cancelOrder, type CancelOrderDeps } from '../orders/cancel-order.ts';
import {
  orderScope,
  priceChanges,
  type CheckoutPlan,
  type PlannedSale,
  type PriceChange,
} from './checkout-plan.ts';

export type OrderSaleDeps = PlaceOrderDeps & CancelOrderDeps;

export type SaleOutcome =
  | { kind: 'ordered'; sale: PlannedSale; order: Order }
  | { kind: 'refused'; sale: PlannedSale; error: AppError; changes?: readonly PriceChange[] }
  /** Its units may be taken: the same key tells, and completes it. */
  | { kind: 'unknown'; error: AppError };

/** As of any order. */
const mostProductsPerOrder = 20;

/**
 * Orders what is planned of one sale, at the prices of the plan or not at all: an order that came to
 * have others, because they changed in this moment, is cancelled. The same plan and key again end
 * with the same order.
 */
export async function orderSale(
  deps: OrderSaleDeps,
  plan: CheckoutPlan,
  sale: PlannedSale,
): Promise<SaleOutcome> {
  if (sale.items.length > mostProductsPerOrder)
    return { kind: 'refused', sale, error: tooManyProducts() };
  try {
    const order = await place(deps, plan, sale);
    if (order instanceof AppError) return { kind: 'refused', sale, error: order };
    const changes = priceChanges(sale.items, order);
    if (changes.length === 0 || !(await takeBack(deps, order, plan)))
      return { kind: 'ordered', sale, order };
    return { kind: 'refused', sale, error: priceChanged(changes), changes };
  } catch (thrown) {
    const error = toAppError(thrown);
    if (error.kind !== 'unavailable') throw thrown;
    return { kind: 'unknown', error };
  }
}

/** The order; or why there is none and will be none. Throws what another try may mend. */
async function place(
  deps: PlaceOrderDeps,
  plan: CheckoutPlan,
  sale: PlannedSale,
): Promise<Order | AppError> {
  const { userId, key, shippingAddress, billingAddress } = plan;
  const result = await placeOrder(deps, {
    userId,
    key,
    route: orderScope(sale.saleId),
    body: {
      items: sale.items.map(({ productId, quantity }) => ({ productId, quantity })),
      ...(shippingAddress && { shippingAddress }),
      ...(billingAddress && { billingAddress }),
      ...(sale.discountCode && { discountCode: sale.discountCode }),
      ...(sale.holdId && { holdId: holdId.parse(sale.holdId) }),
    },
  });
  if (result.status === 'created') return result.order;
  const error = refusalError(result);
  if (error.kind === 'unavailable') throw error;
  return error;
}

/** Cancels an order whose prices its buyer has not seen; false when it is on its way already. */
async function takeBack(
  deps: CancelOrderDeps,
  order: Order,
  { userId, digest }: CheckoutPlan,
): Promise<boolean> {
  const result = await cancelOrder(deps, {
    userId,
    orderId: order.id,
    reason: 'The price changed while the order was placed',
    digest,
    fingerprint: 'price-changed',
  });
  switch (result.status) {
    case 'cancelled':
      return true;
    // It was shipped, or it came to another end: then nobody pays for it.
    case 'too_late':
      return !result.order.units;
    case 'not_found':
    case 'being_recorded':
      throw new AppError('order-being-recorded', { retryAfterSeconds: 1 });
    case 'not_owned':
    case 'key_reused':
      throw new Error(`order ${order.id} cannot be taken back: ${result.status}`);
  }
}

/** What a buyer is told who would pay other prices than those that he knows. */
export const priceChanged = (changes: readonly PriceChange[]): AppError =>
  new AppError('price-changed', {
    extensions: {
      products: changes.map(({ productId, was, now }) => ({
        productId,
        was: toWire(was),
        now: toWire(now),
      })),
    },
  });

const tooManyProducts = () =>
  new AppError('cart-limit-reached', {
    message: `An order takes at most ${mostProductsPerOrder} products of a sale: take some off`,
    extensions: { most: mostProductsPerOrder },
  });
