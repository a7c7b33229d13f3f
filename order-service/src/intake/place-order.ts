import type { Catalogue, CatalogueProduct } from '@quicksale/shared/catalogue';
import {
  idempotencyDigest,
  orderFromHold,
  requestFingerprint,
  type Order,
  type OrderFacts,
  type OrderStore,
} from '@quicksale/shared/orders';
import type { Logger } from '@quicksale/shared/log';
import type { Clock, Random } from '@quicksale/shared/process';
import type { ReserveReply, ReserveRequest } from '@quicksale/shared/stock-ledger';
import type { GroupRecorder } from './group-recorder.ts';
import type { OrderNumbers } from './order-numbers.ts';
import type { OrderRequest } from './order-request.ts';
import type { RecordingOutcome } from './record-holds.ts';
import type { ReserveBatcher } from './reserve-batcher.ts';

export interface PlaceOrderDeps {
  clock: Clock;
  random: Random;
  catalogue: Catalogue;
  orders: OrderStore;
  ledger: Pick<ReserveBatcher, 'reserve'>;
  recorder: Pick<GroupRecorder, 'record'>;
  numbers: OrderNumbers;
  log: Logger;
}

export interface PlaceOrderInput {
  userId: string;
  /** The Idempotency-Key. */
  key: string;
  /** Method and path pattern: part of the key's scope. */
  route: string;
  body: OrderRequest;
}

/** Answers of the ledger that are answers to the buyer. */
type LedgerAnswer = Exclude<ReserveReply, { status: 'reserved' | 'replayed' }>;

export type PlaceOrderResult =
  | { status: 'created'; order: Order; replayed: boolean }
  | LedgerAnswer
  | { status: 'mixed_sales' }
  /** The units are taken and the key is good: asking again completes the order. */
  | { status: 'not_recorded' }
  | { status: 'in_doubt' };

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
  if (first.status !== 'unknown_product' && first.status !== 'closed') return finish(first);
  // The product may have moved to another sale since its mapping was cached.
  for (const { productId } of input.body.items) deps.catalogue.forget(productId);
  return finish(await tryOnce(deps, input, key));
}

interface KeyFacts {
  digest: string;
  fingerprint: string;
}

type Attempt = PlaceOrderResult | { status: 'dead_key'; orderId: string };

/** A key that died twice within one request: another process is at it; the buyer asks again. */
const finish = (attempt: Attempt): PlaceOrderResult =>
  attempt.status === 'dead_key' ? { status: 'not_recorded' } : attempt;

async function tryOnce(
  deps: PlaceOrderDeps,
  input: PlaceOrderInput,
  key: KeyFacts,
): Promise<Attempt> {
  const found = await findSale(deps, input.body.items);
  if (found.status !== 'found') return found;
  const attempt = await reserveOnce(deps, input, key, found);
  if (attempt.status !== 'dead_key') return attempt;
  return reserveOnce(deps, input, key, found, attempt.orderId);
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

async function reserveOnce(
  deps: PlaceOrderDeps,
  input: PlaceOrderInput,
  key: KeyFacts,
  { saleId, products }: FoundSale,
  replaces?: string,
): Promise<Attempt> {
  const orderNumber = await deps.numbers.take();
  const facts: OrderFacts = {
    orderNumber,
    saleId,
    currency: products[0]?.currency ?? '',
    items: products.map(({ id, sku, name }, index) => ({
      productId: id,
      sku,
      name,
      quantity: input.body.items[index]?.quantity ?? 0,
    })),
    key: input.key,
    ...key,
    ...(input.body.shippingAddress && { shippingAddress: input.body.shippingAddress }),
    ...(input.body.billingAddress && { billingAddress: input.body.billingAddress }),
  };
  const request: ReserveRequest = {
    orderId: deps.random.objectId(deps.clock.now()),
    userId: input.userId,
    kind: 'order',
    ...key,
    ...(replaces && { replaces }),
    facts: JSON.stringify(facts),
    items: input.body.items,
  };
  // When this throws, the order may exist: its number is not given back.
  const reply = await deps.ledger.reserve(saleId, request);
  if (reply.status === 'reserved')
    return afterRecording(
      deps,
      await deps.recorder.record({ saleId, record: reply.record }),
      key,
      false,
    );
  deps.numbers.giveBack(orderNumber);
  return reply.status === 'replayed' ? replay(deps, reply, key, saleId) : reply;
}

/** The key names an order already. Whoever gets here completes it; nobody waits for anybody. */
async function replay(
  deps: PlaceOrderDeps,
  reply: Extract<ReserveReply, { status: 'replayed' }>,
  key: KeyFacts,
  saleId: string,
): Promise<Attempt> {
  // A record keeps its facts for a day; later only its units.
  const record = reply.record?.facts ? reply.record : undefined;
  if (record && reply.recorded)
    return { status: 'created', order: orderFromHold(record, saleId), replayed: true };
  if (record)
    return afterRecording(deps, await deps.recorder.record({ saleId, record }), key, true);
  const [order] = await deps.orders.findRelated({
    ids: [reply.orderId],
    digests: [key.digest],
    units: [],
  });
  return order ? namedByKey(order, key) : { status: 'dead_key', orderId: reply.orderId };
}

function afterRecording(
  deps: PlaceOrderDeps,
  outcome: RecordingOutcome,
  key: KeyFacts,
  replayed: boolean,
): Attempt {
  switch (outcome.kind) {
    case 'recorded':
      return { status: 'created', order: outcome.order, replayed };
    case 'key-names-other':
      return namedByKey(outcome.order, key);
    case 'in-doubt':
      return { status: 'in_doubt' };
    case 'not-recorded':
      return { status: 'not_recorded' };
    case 'refused':
      deps.log.error({ err: outcome.cause }, 'MongoDB refuses an order document');
      return { status: 'not_recorded' };
  }
}

const namedByKey = (order: Order, { fingerprint }: KeyFacts): Attempt =>
  order.requestFingerprint === fingerprint
    ? { status: 'created', order, replayed: true }
    : { status: 'key_reused' };
