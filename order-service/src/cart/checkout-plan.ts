import { idempotencyDigest } from '@quicksale/shared/idempotency';
import type { Address, Order } from '@quicksale/shared/orders';
import type { Cart, CartItem } from './cart.ts';
import type { SoldProduct } from './read-products.ts';

export type PlannedItem = Pick<CartItem, 'productId' | 'quantity' | 'price'>;

/** What becomes one order. */
export interface PlannedSale {
  saleId: string;
  /** Of the order's key: the sales of a checkout have one each. */
  orderDigest: string;
  items: readonly PlannedItem[];
  /** The hold that the order takes. */
  holdId?: string;
  discountCode?: string;
}

/** Minor units. */
export interface PriceChange {
  productId: string;
  was: number;
  now: number;
}

/**
 * What a checkout is for, frozen under its key before anything is ordered: however often it is
 * executed, and whatever has become of cart, prices and products meanwhile, it is for just this.
 */
export interface CheckoutPlan {
  key: string;
  /** Of the key. */
  digest: string;
  /** Of the request's body. */
  fingerprint: string;
  userId: string;
  sales: readonly PlannedSale[];
  /** What nobody sells any more. */
  unsold: readonly PlannedItem[];
  /** Prices that the buyer had not been told of. Where there are any, nothing is ordered. */
  changes: readonly PriceChange[];
  shippingAddress?: Address;
  billingAddress?: Address;
  createdAt: Date;
  /** Another checkout has taken the cart over: nothing more is ordered for this one. */
  abandoned?: true;
}

export interface CheckoutRequest {
  /** The Idempotency-Key. */
  key: string;
  digest: string;
  fingerprint: string;
  shippingAddress?: Address;
  billingAddress?: Address;
  /** By sale. */
  discountCodes?: Readonly<Record<string, string>>;
}

/** Scope of the key of a checkout. */
export const checkoutScope = 'POST /api/cart/checkout';

/** Scope of the key of a sale's order: the sales of a checkout have one each. */
export const orderScope = (saleId: string): string => `${checkoutScope} ${saleId}`;

const orderDigest = (userId: string, key: string, saleId: string) =>
  idempotencyDigest({ userId, route: orderScope(saleId), key });

/** The plan for what is in the cart now. */
export function planCheckout(
  { discountCodes = {}, ...request }: CheckoutRequest,
  cart: Pick<Cart, 'userId' | 'items'>,
  { products, createdAt }: { products: ReadonlyMap<string, SoldProduct>; createdAt: Date },
): CheckoutPlan {
  const unsold: PlannedItem[] = [];
  const changes: PriceChange[] = [];
  const sales = new Map<string, { items: PlannedItem[]; holdId?: string }>();
  for (const { productId, quantity, price, holdId } of cart.items) {
    const product = products.get(productId);
    const item = { productId, quantity, price };
    if (!product || product.archived) {
      unsold.push(item);
      continue;
    }
    const { saleId, offer } = product;
    // Where a product is just changing sales its price is seen on the order.
    if (offer && offer.price !== price) changes.push({ productId, was: price, now: offer.price });
    const sale = sales.get(saleId) ?? { items: [] };
    sales.set(saleId, sale);
    sale.items.push(item);
    if (holdId) sale.holdId ??= holdId;
  }
  const codes = new Map(Object.entries(discountCodes));
  return {
    ...request,
    userId: cart.userId,
    sales: [...sales].map(([saleId, sale]) => ({
      saleId,
      orderDigest: orderDigest(cart.userId, request.key, saleId),
      ...sale,
      ...(codes.has(saleId) && { discountCode: codes.get(saleId) }),
    })),
    unsold,
    changes,
    createdAt,
  };
}

/** Where an order's prices are not those of the plan. */
export function priceChanges(
  planned: readonly PlannedItem[],
  order: Pick<Order, 'items'>,
): PriceChange[] {
  return planned.flatMap(({ productId, price }) => {
    const now = order.items.find((item) => item.productId === productId)?.unitPrice ?? price;
    return now === price ? [] : [{ productId, was: price, now }];
  });
}

/**
 * Plans by the digest of their key. Everything throws AppError `dependency-unavailable` when the
 * store is away.
 */
export interface CheckoutPlans {
  find(digest: string): Promise<CheckoutPlan | undefined>;
  /** Keeps it, unless there is one under its digest; resolves to the one that is there then. */
  keep(plan: CheckoutPlan): Promise<CheckoutPlan>;
  /** From now on it is found abandoned. */
  abandon(digest: string): Promise<void>;
}
