import type { Cart, SettledCheckout } from './cart.ts';
import type { CheckoutPlan, PlannedSale, PriceChange } from './checkout-plan.ts';

/** What a checkout has come to, as far as its cart is concerned. */
export interface CheckoutOutcome {
  /** Sales that have their orders. */
  ordered: readonly PlannedSale[];
  /** Holds that are used or gone: no order can take them any more. */
  spentHolds: ReadonlySet<string>;
  /** Prices that the buyer is told of. */
  changes: readonly PriceChange[];
  /** The key has its last answer; otherwise it is still at work on the cart. */
  isOver: boolean;
}

/** More than a buyer has under way at once; an older one that comes again finds its mark gone. */
const rememberedCheckouts = 10;

/**
 * The cart after a checkout: what was ordered is taken off, once for each sale of a checkout; what
 * was put in meanwhile stays. The cart itself when there is nothing to change.
 */
export function settleCheckout(
  cart: Cart,
  { digest }: Pick<CheckoutPlan, 'digest'>,
  { ordered, spentHolds, changes, isOver }: CheckoutOutcome,
): Cart {
  const settled = cart.checkouts.find((one) => one.digest === digest)?.saleIds ?? [];
  const fresh = ordered.filter(({ saleId }) => !settled.includes(saleId));
  const taken = unitsOf(fresh);
  const newPrices = new Map(changes.map((change) => [change.productId, change]));
  const items = cart.items.flatMap((item) => {
    const quantity = item.quantity - (taken.get(item.productId) ?? 0);
    if (quantity <= 0) return [];
    const { holdId, ...rest } = item;
    const change = newPrices.get(item.productId);
    const price = change?.was === item.price ? change.now : item.price;
    const isSpent = holdId !== undefined && spentHolds.has(holdId);
    const isSame = quantity === item.quantity && price === item.price && !isSpent;
    return [isSame ? item : { ...rest, quantity, price, ...(holdId && !isSpent && { holdId }) }];
  });
  const { checkingOut, ...kept } = cart;
  const ends = isOver && checkingOut?.digest === digest;
  const isSame =
    items.length === cart.items.length && items.every((one, n) => one === cart.items[n]);
  if (isSame && !ends && fresh.length === 0) return cart;
  const saleIds = [...settled, ...fresh.map(({ saleId }) => saleId)];
  return {
    ...kept,
    ...(checkingOut && !ends && { checkingOut }),
    items,
    checkouts: saleIds.length > 0 ? remember(cart.checkouts, { digest, saleIds }) : cart.checkouts,
  };
}

function unitsOf(sales: readonly PlannedSale[]): Map<string, number> {
  const units = new Map<string, number>();
  for (const { productId, quantity } of sales.flatMap(({ items }) => items))
    units.set(productId, (units.get(productId) ?? 0) + quantity);
  return units;
}

const remember = (
  checkouts: readonly SettledCheckout[],
  settled: SettledCheckout,
): readonly SettledCheckout[] =>
  [...checkouts.filter(({ digest }) => digest !== settled.digest), settled].slice(
    -rememberedCheckouts,
  );
