import type { Order, OrderStore } from '@quicksale/shared/orders';
import type { Cart } from './cart.ts';
import { changeCart, type ChangeCartDeps } from './change-cart.ts';
import {
  priceChanges,
  type CheckoutPlan,
  type CheckoutPlans,
  type PlannedSale,
} from './checkout-plan.ts';
import { settleCheckout } from './settle-checkout.ts';

export interface ClaimCartDeps extends ChangeCartDeps {
  plans: CheckoutPlans;
  orders: Pick<OrderStore, 'findRelated'>;
}

export type ClaimedCart =
  | { status: 'claimed'; cart: Cart }
  | { status: 'empty' }
  /** A checkout with another key is at work on it. */
  | { status: 'busy' };

/** Longer than a checkout takes, and than its answer is leased: after that it is taken for dead. */
const claimMs = 15_000;

/**
 * Gives the cart to one checkout at a time: two keys are two wishes, and a buyer who presses twice
 * has one. Of a checkout that died and was not asked for again what it had ordered is taken off
 * first. An empty cart is not claimed, unless for a checkout that has its plan.
 */
export async function claimCart(
  deps: ClaimCartDeps,
  userId: string,
  { digest, isPlanned }: { digest: string; isPlanned: boolean },
): Promise<ClaimedCart> {
  for (;;) {
    const now = deps.clock.now();
    const claimed = await changeCart(deps, userId, (cart) => decide(cart, now));
    if (claimed.status !== 'abandoned') return claimed;
    await settleAbandoned(deps, userId, claimed.digest);
  }

  function decide(cart: Cart, now: number): ClaimedCart | { status: 'abandoned'; digest: string } {
    const other = cart.checkingOut?.digest === digest ? undefined : cart.checkingOut;
    if (other && now - other.since.getTime() < claimMs) return { status: 'busy' };
    if (other) return { status: 'abandoned', digest: other.digest };
    if (cart.items.length === 0 && !isPlanned) return { status: 'empty' };
    return { status: 'claimed', cart: { ...cart, checkingOut: { digest, since: new Date(now) } } };
  }
}

/** Takes off what a checkout has ordered that came to no answer, and ends it and its claim. */
async function settleAbandoned(deps: ClaimCartDeps, userId: string, digest: string): Promise<void> {
  // First: from here on it orders nothing more, however late it is asked for again.
  await deps.plans.abandon(digest);
  const plan = await deps.plans.find(digest);
  const made = plan ? await findOrders(deps, plan) : new Map<PlannedSale, Order>();
  const ordered = [...made]
    .filter(([sale, order]) => priceChanges(sale.items, order).length === 0)
    .map(([sale]) => sale);
  const spentHolds = new Set(ordered.flatMap(({ holdId }) => holdId ?? []));
  const outcome = { ordered, spentHolds, changes: [], isOver: true };
  await changeCart(deps, userId, (cart) => ({
    status: 'settled',
    cart: settleCheckout(cart, { digest }, outcome),
  }));
}

/** The orders that there are of a plan's sales. */
export async function findOrders(
  { orders }: Pick<ClaimCartDeps, 'orders'>,
  { sales }: Pick<CheckoutPlan, 'sales'>,
): Promise<Map<PlannedSale, Order>> {
  const digests = sales.map(({ orderDigest }) => orderDigest);
  const found = await orders.findRelated({ ids: [], digests, units: [] });
  const byDigest = new Map(found.map((order) => [order.idempotencyDigest, order]));
  return new Map(
    sales.flatMap((sale) => {
      const order = byDigest.get(sale.orderDigest);
      return order ? [[sale, order] as const] : [];
    }),
  );
}
