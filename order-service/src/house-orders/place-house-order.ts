import type { Catalogue, CatalogueProduct } from '@quicksale/shared/catalogue';
import { idempotencyDigest, requestFingerprint } from '@quicksale/shared/idempotency';
import type { Order, OrderStore } from '@quicksale/shared/orders';
import { faultPoint } from '@quicksale/shared/process';
import type { LedgerRefusal, StockLedger } from '@quicksale/shared/stock-ledger';
import { namedByKey, type KeyFacts } from '../intake/replay-order.ts';
import {
  reserveOrder,
  type ReserveOrderDeps,
  type ReserveOrderResult,
  type WantedOrder,
} from '../intake/reserve-order.ts';
import type { ShipUnits } from '../outbox/ship-units.ts';
import type { HouseOrderRequest } from './house-order-request.ts';

export interface PlaceHouseOrderDeps extends ReserveOrderDeps {
  catalogue: Catalogue;
  orders: Pick<OrderStore, 'isReachable' | 'findRelated'>;
  holds: Pick<StockLedger, 'readHolds'>;
  shipUnits: ShipUnits;
}

export type PlaceHouseOrderResult =
  /** All of it is done: recorded, gone from the sale and, where it moves, arrived in the other. */
  | { status: 'done'; orderId: string; units: number }
  /** The order is made; what is left of it goes on by itself, or when it is asked for again. */
  | { status: 'not_shipped' }
  | Exclude<ReserveOrderResult, { status: 'created' }>;

/** Scope of an operation id: the same text as somebody's Idempotency-Key is another key. */
const keyScope = 'POST /internal/house-orders';

/**
 * Makes an order of the house, the only way in which stock falls without a buyer, and sees it
 * through to its end. Repeating it with the same operation id is harmless and completes what an
 * earlier call left. Throws AppError `dependency-unavailable` when a store is away.
 */
export async function placeHouseOrder(
  deps: PlaceHouseOrderDeps,
  request: HouseOrderRequest,
): Promise<PlaceHouseOrderResult> {
  // Nobody's units are taken for an order that cannot be written.
  if (!deps.orders.isReachable()) return { status: 'not_recorded' };
  const key: KeyFacts = {
    digest: idempotencyDigest({ userId: request.by, route: keyScope, key: request.operationId }),
    fingerprint: requestFingerprint(request),
  };
  // The ledger forgets a key after a day, and an operation may be taken up again later than that.
  const [known] = await deps.orders.findRelated({ ids: [], digests: [key.digest], units: [] });
  const result = known ? namedByKey(known, key) : await take(deps, request, key);
  if (result.status !== 'created') return result;
  faultPoint('after-house-record');
  return ship(deps, result.order);
}

async function take(
  deps: PlaceHouseOrderDeps,
  request: HouseOrderRequest,
  key: KeyFacts,
): Promise<ReserveOrderResult> {
  const { saleId, by, reason, to, operationId } = request;
  const products = await findProducts(deps.catalogue, request.items);
  if (!Array.isArray(products)) return products;
  const hold = await findHold(deps.holds, request);
  if (hold && 'status' in hold) return hold;
  return reserveOrder(withFaultPoint(deps), {
    kind: 'house',
    saleId,
    // The ledger lets nobody but its owner have a hold taken.
    userId: request.holdUserId ?? by,
    key,
    items: products.map(({ id, sku, name }, index) => ({
      productId: id,
      sku,
      name,
      quantity: request.items[index]?.quantity ?? 0,
    })),
    facts: {
      currency: products[0]?.currency ?? '',
      key: operationId,
      house: { by, reason, ...(to && { to }) },
    },
    ...(hold && { hold }),
  });
}

/** The house has the products of any sale, archived ones as well. */
async function findProducts(
  catalogue: Catalogue,
  items: HouseOrderRequest['items'],
): Promise<CatalogueProduct[] | { status: 'unknown_product'; productId: string }> {
  const ids = items.map(({ productId }) => productId);
  let known = await catalogue.find(ids);
  if (known.size < ids.length) {
    // It may have been made since it was looked for last.
    for (const id of ids) if (!known.has(id)) catalogue.forget(id);
    known = await catalogue.find(ids);
  }
  const products: CatalogueProduct[] = [];
  for (const productId of ids) {
    const product = known.get(productId);
    if (!product) return { status: 'unknown_product', productId };
    products.push(product);
  }
  return products;
}

/** A hold with all that it has units of, which the ledger has to be told; gone is for it to say. */
async function findHold(
  holds: PlaceHouseOrderDeps['holds'],
  { saleId, holdId }: HouseOrderRequest,
): Promise<WantedOrder['hold'] | { status: LedgerRefusal }> {
  if (holdId === undefined) return undefined;
  const held = await holds.readHolds(saleId, [holdId]);
  if (typeof held === 'string') return { status: held };
  return { id: holdId, productIds: Object.keys(held.records[0]?.units ?? {}) };
}

const withFaultPoint = (deps: PlaceHouseOrderDeps): ReserveOrderDeps => ({
  ...deps,
  ledger: {
    reserve: async (saleId, request) => {
      const reply = await deps.ledger.reserve(saleId, request);
      faultPoint('after-house-reserve');
      return reply;
    },
  },
});

async function ship(
  { shipUnits }: PlaceHouseOrderDeps,
  order: Order,
): Promise<PlaceHouseOrderResult> {
  // Without a mark it has been through all of this before.
  const outcome = order.shipping ? (await shipUnits([order])).get(order.id) : 'shipped';
  switch (outcome) {
    case 'shipped': {
      const units = order.items.reduce((sum, { quantity }) => sum + quantity, 0);
      return { status: 'done', orderId: order.id, units };
    }
    case 'fenced':
      return { status: 'fenced' };
    default:
      return { status: 'not_shipped' };
  }
}
