import {
  orderFromHold,
  type Order,
  type OrderFacts,
  type OrderItem,
  type OrderStore,
} from '@quicksale/shared/orders';
import type { Logger } from '@quicksale/shared/log';
import type { Clock, Random } from '@quicksale/shared/process';
import type { ReserveReply, ReserveRequest } from '@quicksale/shared/stock-ledger';
import type { GroupRecorder } from './group-recorder.ts';
import type { OrderNumbers } from './order-numbers.ts';
import type { RecordingOutcome } from './record-holds.ts';
import type { ReserveBatcher } from './reserve-batcher.ts';

export interface ReserveOrderDeps {
  clock: Clock;
  random: Random;
  orders: Pick<OrderStore, 'findRelated'>;
  ledger: Pick<ReserveBatcher, 'reserve'>;
  recorder: Pick<GroupRecorder, 'record'>;
  numbers: OrderNumbers;
  log: Logger;
}

/** What an idempotency key stands for. */
export interface KeyFacts {
  digest: string;
  fingerprint: string;
}

/** An order to be made, with everything that is known before the ledger is asked. */
export interface WantedOrder {
  kind: 'order' | 'house';
  saleId: string;
  userId: string;
  key: KeyFacts;
  items: readonly Omit<OrderItem, 'unitPrice'>[];
  facts: Pick<OrderFacts, 'currency' | 'key' | 'shippingAddress' | 'billingAddress' | 'house'>;
  /** A bare hold of this user whose units the order takes, and all that it has units of. */
  hold?: { id: string; productIds: readonly string[] };
}

/** Answers of the ledger that are answers to whoever asked. */
type LedgerAnswer = Exclude<ReserveReply, { status: 'reserved' | 'replayed' }>;

export type ReserveOrderResult =
  | { status: 'created'; order: Order; replayed: boolean }
  | LedgerAnswer
  /** The units are taken and the key is good: asking again completes the order. */
  | { status: 'not_recorded' }
  | { status: 'in_doubt' };

type Attempt = ReserveOrderResult | { status: 'dead_key'; orderId: string };

/**
 * Makes an order under its key: the ledger decides, then MongoDB remembers. A repeat with the same
 * key takes the same road and ends with the same order, whatever was lost on the way. Throws
 * AppError `dependency-unavailable` when a store is away; the same key may then be used again.
 */
export async function reserveOrder(
  deps: ReserveOrderDeps,
  wanted: WantedOrder,
): Promise<ReserveOrderResult> {
  const first = await reserveOnce(deps, wanted);
  if (first.status !== 'dead_key') return first;
  const second = await reserveOnce(deps, wanted, first.orderId);
  // Died twice within one request: another process is at it; whoever asked asks again.
  return second.status === 'dead_key' ? { status: 'not_recorded' } : second;
}

async function reserveOnce(
  deps: ReserveOrderDeps,
  { kind, saleId, userId, key, items, facts, hold }: WantedOrder,
  replaces?: string,
): Promise<Attempt> {
  const orderNumber = await deps.numbers.take();
  const allFacts: OrderFacts = { orderNumber, saleId, items, ...key, ...facts };
  const request: ReserveRequest = {
    orderId: deps.random.objectId(deps.clock.now()),
    userId,
    kind,
    ...key,
    ...(replaces && { replaces }),
    ...(hold && { holdId: hold.id, holdProductIds: hold.productIds }),
    facts: JSON.stringify(allFacts),
    items: items.map(({ productId, quantity }) => ({ productId, quantity })),
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
  deps: ReserveOrderDeps,
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
  deps: ReserveOrderDeps,
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

/** The answer of a key that names this order. */
export const namedByKey = (order: Order, { fingerprint }: KeyFacts): ReserveOrderResult =>
  order.requestFingerprint === fingerprint
    ? { status: 'created', order, replayed: true }
    : { status: 'key_reused' };
