import { saleOfItems, type Catalogue, type CatalogueProduct } from '@quicksale/shared/catalogue';
import {
  idempotencyDigest,
  requestFingerprint,
  type OrderFacts,
  type OrderStore,
} from '@quicksale/shared/orders';
import type { Clock, Random } from '@quicksale/shared/process';
import {
  printHoldId,
  type HoldName,
  type ReserveRefusal,
  type ReserveRequest,
  type StockLedger,
} from '@quicksale/shared/stock-ledger';
import { findEarlierSale } from './find-earlier-sale.ts';
import type { OrderNumbers } from './order-numbers.ts';
import type { OrderRequest } from './order-request.ts';
import {
  recordOrder,
  replayOrder,
  type KeyedAnswer,
  type KeyFacts,
  type ReplayDeps,
} from './replay-order.ts';
import type { ReserveBatcher } from './reserve-batcher.ts';

export interface PlaceOrderDeps extends ReplayDeps {
  clock: Clock;
  random: Random;
  catalogue: Catalogue;
  orders: OrderStore;
  ledger: Pick<ReserveBatcher, 'reserve'> & Pick<StockLedger, 'readHolds' | 'findKeys'>;
  numbers: OrderNumbers;
}

export interface PlaceOrderInput {
  userId: string;
  /** The Idempotency-Key. */
  key: string;
  /** Method and path pattern: part of the key's scope. */
  route: string;
  body: OrderRequest;
}

/** What became of one attempt to reserve in one sale. */
type Attempt = KeyedAnswer | ReserveRefusal;
export type PlaceOrderResult = Exclude<Attempt, { status: 'dead_key' }> | { status: 'mixed_sales' };

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
  let tried = await tryOnce(deps, input, key);
  if (tried.result.status === 'unknown_product' || tried.result.status === 'closed') {
    // The product may have moved to another sale since its mapping was cached.
    for (const { productId } of input.body.items) deps.catalogue.forget(productId);
    tried = await tryOnce(deps, input, key);
  }
  return isRefusal(tried.result) ? answerBeforeRefusal(deps, input, key, tried) : tried.result;
}

interface Tried {
  result: PlaceOrderResult;
  /** What the catalogue has of the items. */
  known: ReadonlyMap<string, CatalogueProduct>;
  /** The sale whose ledger answered; undefined when none was asked. */
  askedSaleId?: string;
}

/** Reserves in the sale that the items are in now. */
async function tryOnce(
  deps: PlaceOrderDeps,
  input: PlaceOrderInput,
  key: KeyFacts,
): Promise<Tried> {
  const { items } = input.body;
  const known = await deps.catalogue.find(items.map(({ productId }) => productId));
  const found = saleOfItems(known, items);
  if (found.status !== 'found') return { result: found, known };
  const { saleId, products } = found;
  let attempt = await reserveOnce(deps, input, key, { saleId, products });
  if (attempt.status === 'dead_key')
    attempt = await reserveOnce(deps, input, key, { saleId, products, replaces: attempt.orderId });
  // A key that died twice within one request: another process is at it; the buyer asks again.
  const result = attempt.status === 'dead_key' ? ({ status: 'not_recorded' } as const) : attempt;
  return { result, known, askedSaleId: saleId };
}

/**
 * Nobody is refused under a key that names an order: one that was made before its products came into
 * the sale that refuses is answered where it was made.
 */
async function answerBeforeRefusal(
  deps: PlaceOrderDeps,
  input: PlaceOrderInput,
  key: KeyFacts,
  { result, known, askedSaleId }: Tried,
): Promise<PlaceOrderResult> {
  const earlier = await findEarlierSale(deps, known.values(), {
    digest: key.digest,
    refusedBy: askedSaleId,
  });
  if (earlier.status === 'none') return result;
  if (earlier.status !== 'found') return earlier;
  const products = input.body.items.flatMap(({ productId }) => known.get(productId) ?? []);
  const attempt = await reserveOnce(deps, input, key, { saleId: earlier.saleId, products });
  // A key that is dead there, or came to its end meanwhile, stands in nobody's way.
  return attempt.status === 'dead_key' || isRefusal(attempt) ? result : attempt;
}

/** Whether a buyer is told for good that there is no order. */
function isRefusal({ status }: Pick<PlaceOrderResult, 'status'>): boolean {
  switch (status) {
    case 'sold_out':
    case 'limit':
    case 'too_many_holds':
    case 'hold_gone':
    case 'not_open':
    case 'closed':
    case 'paused':
    case 'unknown_product':
    case 'mixed_sales':
      return true;
    case 'created':
    case 'key_reused':
    case 'not_recorded':
    case 'in_doubt':
    case 'fenced':
    case 'unknown_sale':
    case 'not_admitted':
      return false;
  }
}

/** One call to the ledger of one sale, and what follows from its answer. */
async function reserveOnce(
  deps: PlaceOrderDeps,
  input: PlaceOrderInput,
  key: KeyFacts,
  place: { saleId: string; products: readonly CatalogueProduct[]; replaces?: string },
): Promise<Attempt> {
  const { saleId, products, replaces } = place;
  const { holdId, items, shippingAddress, billingAddress } = input.body;
  const hold = holdId && (await nameHold(deps, input.userId, saleId, holdId));
  const orderNumber = await deps.numbers.take();
  const facts: OrderFacts = {
    orderNumber,
    saleId,
    currency: products[0]?.currency ?? '',
    items: products.map(({ id, sku, name }) => ({
      productId: id,
      sku,
      name,
      quantity: items.find(({ productId }) => productId === id)?.quantity ?? 0,
    })),
    key: input.key,
    ...key,
    ...(shippingAddress && { shippingAddress }),
    ...(billingAddress && { billingAddress }),
  };
  const request: ReserveRequest = {
    orderId: deps.random.objectId(deps.clock.now()),
    userId: input.userId,
    kind: 'order',
    ...key,
    ...(replaces && { replaces }),
    ...hold,
    facts: JSON.stringify(facts),
    items,
  };
  // When this throws, the order may exist: its number is not given back.
  const reply = await deps.ledger.reserve(saleId, request);
  if (reply.status === 'reserved')
    return recordOrder(deps, { saleId, record: reply.record }, key, false);
  deps.numbers.giveBack(orderNumber);
  return reply.status === 'replayed' ? replayOrder(deps, reply, key, saleId) : reply;
}

/**
 * A hold as the ledger wants it named: with all of its products. Whether it may be used is for the
 * ledger to say, after it has looked at the key: an order that took its hold is still answered.
 */
async function nameHold(
  { ledger }: Pick<PlaceOrderDeps, 'ledger'>,
  userId: string,
  saleId: string,
  hold: HoldName,
): Promise<Pick<ReserveRequest, 'holdId' | 'holdProductIds'>> {
  // An id of 48 digits names no record: a hold of another sale is not there in this one.
  if (hold.saleId !== saleId) return { holdId: printHoldId(hold) };
  const held = await ledger.readHolds(saleId, [hold.recordId]);
  const record = typeof held === 'object' ? held.records[0] : undefined;
  const isOwn = record?.kind === 'bare' && record.userId === userId;
  return { holdId: hold.recordId, holdProductIds: isOwn ? Object.keys(record.units) : [] };
}
