import type { Catalogue, CatalogueProduct } from '@quicksale/shared/catalogue';
import { idempotencyDigest, requestFingerprint, type OrderStore } from '@quicksale/shared/orders';
import type { OrderRequest } from './order-request.ts';
import {
  reserveOrder,
  type KeyFacts,
  type ReserveOrderDeps,
  type ReserveOrderResult,
} from './reserve-order.ts';

export interface PlaceOrderDeps extends ReserveOrderDeps {
  catalogue: Catalogue;
  orders: OrderStore;
}

export interface PlaceOrderInput {
  userId: string;
  /** The Idempotency-Key. */
  key: string;
  /** Method and path pattern: part of the key's scope. */
  route: string;
  body: OrderRequest;
}

export type PlaceOrderResult = ReserveOrderResult | { status: 'mixed_sales' };

/**
 * Places an order: the ledger decides, then MongoDB remembers, then the buyer is told. A repeat with
 * the same key takes the same road and ends with the same answer, whatever was lost on the way.
 * Throws AppError `dependency-unavailable` when a store is away; the same key may then be sent again.
 */
export async function placeOrder(
  deps: PlaceOrderDeps,
  input: PlaceOrderInput,
): Promise<PlaceOrderResult> {
  // Nobody's units are taken for an order that cannot be written.
  if (!deps.orders.isReachable()) return { status: 'not_recorded' };
  const key: KeyFacts = {
    digest: idempotencyDigest({ userId: input.userId, route: input.route, key: input.key }),
    fingerprint: requestFingerprint(input.body),
  };
  const first = await tryOnce(deps, input, key);
  if (first.status !== 'unknown_product' && first.status !== 'closed') return first;
  // The product may have moved to another sale since its mapping was cached.
  for (const { productId } of input.body.items) deps.catalogue.forget(productId);
  return tryOnce(deps, input, key);
}

async function tryOnce(
  deps: PlaceOrderDeps,
  { userId, key: givenKey, body }: PlaceOrderInput,
  key: KeyFacts,
): Promise<PlaceOrderResult> {
  const found = await findSale(deps, body.items);
  if (found.status !== 'found') return found;
  const { saleId, products } = found;
  return reserveOrder(deps, {
    kind: 'order',
    saleId,
    userId,
    key,
    items: products.map(({ id, sku, name }, index) => ({
      productId: id,
      sku,
      name,
      quantity: body.items[index]?.quantity ?? 0,
    })),
    facts: {
      currency: products[0]?.currency ?? '',
      key: givenKey,
      ...(body.shippingAddress && { shippingAddress: body.shippingAddress }),
      ...(body.billingAddress && { billingAddress: body.billingAddress }),
    },
  });
}

interface FoundSale {
  status: 'found';
  saleId: string;
  products: CatalogueProduct[];
}

async function findSale(
  { catalogue }: PlaceOrderDeps,
  items: OrderRequest['items'],
): Promise<
  FoundSale | { status: 'mixed_sales' } | { status: 'unknown_product'; productId: string }
> {
  const known = await catalogue.find(items.map((item) => item.productId));
  const products: CatalogueProduct[] = [];
  for (const { productId } of items) {
    const product = known.get(productId);
    if (!product || product.archived) return { status: 'unknown_product', productId };
    products.push(product);
  }
  const [first] = products;
  if (!first || products.some(({ saleId }) => saleId !== first.saleId))
    return { status: 'mixed_sales' };
  return { status: 'found', saleId: first.saleId, products };
}
