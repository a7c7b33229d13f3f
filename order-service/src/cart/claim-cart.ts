import type { OrderStore } from '@quicksale/shared/orders';
import type { Cart } from './cart.ts';
import { changeCart, type ChangeCartDeps } from './change-cart.ts';
import { priceChanges, type CheckoutPlans } from './checkout-plan.ts';
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

/** Takes off what a checkout has ordered that came to no answer, and ends its claim. */
async function settleAbandoned(deps: ClaimCartDeps, userId: string, digest: string): Promise<void> {
  const plan = await deps.plans.find(digest);
  const sales = plan?.sales ?? [];
  const orders = await deps.orders.findRelated({
    ids: [],
    digests: sales.map(({ orderDigest }) => orderDigest),
    units: [],
  });
  const ordered = sales.filter((sale) => {
    const order = orders.find(({ idempotencyDigest }) => idempotencyDigest === sale.orderDigest);
    return order && priceChanges(sale.items, order).length === 0;
  });
  const spentHolds = new Set(ordered.flatMap(({ holdId }) => holdId ?? []));
  const outcome = { ordered, spentHolds, changes: [], isOver: true };
  await changeCart(deps, userId, (cart) => ({
    status: 'settled',
    cart: settleCheckout(cart, { digest }, outcome),
  }));
}
