import { AppError } from '@quicksale/shared/errors';
import { idempotencyDigest, requestFingerprint } from '@quicksale/shared/idempotency';
import type { Address, Order } from '@quicksale/shared/orders';
import { faultPoint } from '@quicksale/shared/process';
import { changeCart } from './change-cart.ts';
import {
  checkoutScope,
  planCheckout,
  priceChanges,
  type CheckoutPlan,
  type PlannedItem,
  type PriceChange,
} from './checkout-plan.ts';
import { claimCart, findOrders, type ClaimCartDeps } from './claim-cart.ts';
import { orderSale, type OrderSaleDeps, type SaleOutcome } from './order-sale.ts';
import { readProducts, type ReadProductsDeps } from './read-products.ts';
import { settleCheckout, type CheckoutOutcome } from './settle-checkout.ts';

export type CheckOutDeps = OrderSaleDeps & ClaimCartDeps & ReadProductsDeps;

export interface CheckOutInput {
  userId: string;
  /** The Idempotency-Key. */
  key: string;
  body: {
    shippingAddress?: Address | undefined;
    billingAddress?: Address | undefined;
    /** By sale. */
    discountCodes?: Readonly<Record<string, string>> | undefined;
  };
}

/** A sale, or what is sold nowhere, of which there is no order. */
export interface RefusedSale {
  saleId: string | null;
  items: readonly PlannedItem[];
  error: AppError;
}

export type CheckOutResult =
  /** Some orders, and what was refused beside them; or none, and at least one refusal. */
  | { status: 'done'; orders: readonly Order[]; refused: readonly RefusedSale[] }
  | { status: 'price_changed'; changes: readonly PriceChange[] }
  | { status: 'empty' }
  | { status: 'busy' }
  | { status: 'key_reused' }
  /** What has become of it is not certain: the same key completes it. */
  | { status: 'unknown'; error: AppError };

/**
 * Orders what is in a buyer's cart, one order for each sale, at the prices that the buyer was told.
 * What it is for is frozen under its key first. So it may be executed again after a crash, by
 * whomever and however often: each order is made once, and taken off the cart once. Throws AppError
 * `dependency-unavailable` when a store is away; the same key may then be used again.
 */
export async function checkOut(
  deps: CheckOutDeps,
  { userId, key, body }: CheckOutInput,
): Promise<CheckOutResult> {
  const digest = idempotencyDigest({ userId, route: checkoutScope, key });
  const fingerprint = requestFingerprint(body);
  const found = await findPlan(deps, { userId, key, body }, { digest, fingerprint });
  if (found.status !== 'planned') return found;
  const { plan } = found;
  if (plan.changes.length > 0) {
    await settle(deps, plan, { ...nothing, changes: plan.changes, isOver: true });
    return { status: 'price_changed', changes: plan.changes };
  }
  const outcomes = plan.abandoned
    ? await whatThereIs(deps, plan)
    : await Promise.all(plan.sales.map((sale) => orderSale(deps, plan, sale)));
  faultPoint('after-checkout-ordered');
  const unknown = outcomes.find((one) => one.kind === 'unknown');
  await settle(deps, plan, { ...cartOutcome(outcomes), isOver: !unknown });
  faultPoint('after-checkout-cleared');
  if (unknown) return { status: 'unknown', error: unknown.error };
  return {
    status: 'done',
    orders: outcomes.flatMap((one) => (one.kind === 'ordered' ? [one.order] : [])),
    refused: [...outcomes.flatMap(refusedSale), ...unsold(plan)],
  };
}

/** Of a checkout that another one has taken over from. */
async function whatThereIs(deps: CheckOutDeps, plan: CheckoutPlan): Promise<SaleOutcome[]> {
  const made = await findOrders(deps, plan);
  return plan.sales.map((sale): SaleOutcome => {
    const order = made.get(sale);
    if (order && priceChanges(sale.items, order).length === 0)
      return { kind: 'ordered', sale, order };
    const error = new AppError('cart-empty', {
      message: 'Another checkout has taken over the cart: nothing more is ordered for this one',
    });
    return { kind: 'refused', sale, error };
  });
}

type FoundPlan =
  | { status: 'planned'; plan: CheckoutPlan }
  | { status: 'empty' }
  | { status: 'busy' }
  | { status: 'key_reused' };

/** The plan of this key: the one that there is, or a new one for what is in the cart now. */
async function findPlan(
  deps: CheckOutDeps,
  { userId, key, body }: CheckOutInput,
  request: { digest: string; fingerprint: string },
): Promise<FoundPlan> {
  const { digest, fingerprint } = request;
  const foundAs = (plan: CheckoutPlan): FoundPlan =>
    plan.fingerprint === fingerprint ? { status: 'planned', plan } : { status: 'key_reused' };
  const earlier = await deps.plans.find(digest);
  const found = earlier && foundAs(earlier);
  if (found?.status === 'key_reused') return found;
  const claimed = await claimCart(deps, userId, { digest, isPlanned: found !== undefined });
  if (claimed.status === 'busy') return claimed;
  if (found) return found;
  if (claimed.status === 'empty') {
    // A twin may have planned, ordered and cleared it since.
    const plan = await deps.plans.find(digest);
    return plan ? foundAs(plan) : claimed;
  }
  const { cart } = claimed;
  const products = await readProducts(
    deps,
    cart.items.map(({ productId }) => productId),
  );
  const { shippingAddress, billingAddress, discountCodes } = body;
  const plan = planCheckout(
    {
      ...request,
      key,
      ...(shippingAddress && { shippingAddress }),
      ...(billingAddress && { billingAddress }),
      ...(discountCodes && { discountCodes }),
    },
    cart,
    { products, createdAt: new Date(deps.clock.now()) },
  );
  const stray = Object.keys(discountCodes ?? {}).filter(
    (saleId) => !plan.sales.some((sale) => sale.saleId === saleId),
  );
  if (stray.length > 0) {
    await settle(deps, plan, { ...nothing, isOver: true });
    throw strayCodes(stray);
  }
  const kept = await deps.plans.keep(plan);
  faultPoint('after-checkout-planned');
  return foundAs(kept);
}

const strayCodes = (saleIds: readonly string[]) =>
  new AppError('validation-failed', {
    message: 'The body is not valid',
    errors: saleIds.map((saleId) => ({
      pointer: `/discountCodes/${saleId}`,
      message: 'nothing in the cart is of this sale',
    })),
  });

async function settle(
  deps: CheckOutDeps,
  plan: CheckoutPlan,
  outcome: CheckoutOutcome,
): Promise<void> {
  await changeCart(deps, plan.userId, (cart) => ({
    status: 'settled',
    cart: settleCheckout(cart, plan, outcome),
  }));
}

const nothing = { ordered: [], spentHolds: new Set<string>(), changes: [] };

function cartOutcome(outcomes: readonly SaleOutcome[]): Omit<CheckoutOutcome, 'isOver'> {
  const ordered = outcomes.flatMap((one) => (one.kind === 'ordered' ? [one.sale] : []));
  const refused = outcomes.filter((one) => one.kind === 'refused');
  const withoutHold = refused.filter(({ error }) => error.code === 'hold-gone');
  const spent = [...ordered, ...withoutHold.map(({ sale }) => sale)];
  return {
    ordered,
    spentHolds: new Set(spent.flatMap(({ holdId }) => holdId ?? [])),
    changes: refused.flatMap(({ changes = [] }) => changes),
  };
}

const refusedSale = (outcome: SaleOutcome): RefusedSale[] =>
  outcome.kind === 'refused' ? [{ ...outcome.sale, error: outcome.error }] : [];

function unsold({ unsold: items }: CheckoutPlan): RefusedSale[] {
  const [first] = items;
  if (!first) return [];
  const error = new AppError('unknown-product', { extensions: { productId: first.productId } });
  return [{ saleId: null, items, error }];
}
