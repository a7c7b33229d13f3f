import { orderFromHold, type Order, type OrderStore } from '@quicksale/shared/orders';
import type { Logger } from '@quicksale/shared/log';
import type { ReserveReply } from '@quicksale/shared/stock-ledger';
import type { EarlyAnswers } from './early-answers.ts';
import type { GroupRecorder } from './group-recorder.ts';
import type { Hold, RecordingOutcome } from './record-holds.ts';

export interface ReplayDeps {
  orders: Pick<OrderStore, 'findRelated'>;
  recorder: Pick<GroupRecorder, 'record'>;
  early: Pick<EarlyAnswers, 'recordLater'>;
  log: Logger;
}

/** An idempotency key as ledger and orders know it. */
export interface KeyFacts {
  digest: string;
  fingerprint: string;
}

/** What a key that names an order, or has just come to name one, leads to. */
export type NamedOrder =
  | { status: 'created'; order: Order; replayed: boolean }
  | { status: 'key_reused' }
  /** The units are taken and the key is good: asking again completes the order. */
  | { status: 'not_recorded' }
  | { status: 'in_doubt' };

export type KeyedAnswer =
  | NamedOrder
  /** The key names this id, of which there is neither a record nor an order. */
  | { status: 'dead_key'; orderId: string };

/** The key names an order already. Whoever gets here completes it; nobody waits for anybody. */
export async function replayOrder(
  deps: ReplayDeps,
  reply: Extract<ReserveReply, { status: 'replayed' }>,
  key: KeyFacts,
  saleId: string,
): Promise<KeyedAnswer> {
  // A record keeps its facts for a day; later only its units.
  const record = reply.record?.facts ? reply.record : undefined;
  if (record && reply.recorded)
    return { status: 'created', order: orderFromHold(record, saleId), replayed: true };
  if (record) return recordOrder(deps, { saleId, record }, key, true);
  const related = await deps.orders.findRelated({
    ids: [reply.orderId],
    digests: [key.digest],
    units: [],
  });
  // In a fast sale the digest may be an older order's: the key names the later one.
  const order = related.find(({ id }) => id === reply.orderId) ?? related[0];
  return order ? namedByKey(order, key) : { status: 'dead_key', orderId: reply.orderId };
}

/**
 * Brings the order of a hold into MongoDB; the buyer is told what is there then. That of a fast sale
 * is good as soon as the ledger has it, and follows.
 */
export async function recordOrder(
  deps: Omit<ReplayDeps, 'orders'>,
  hold: Hold,
  key: KeyFacts,
  replayed: boolean,
): Promise<NamedOrder> {
  if (hold.record.fast && deps.early.recordLater(hold))
    return { status: 'created', order: orderFromHold(hold.record, hold.saleId), replayed };
  const outcome: RecordingOutcome = await deps.recorder.record(hold);
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
export const namedByKey = (order: Order, { fingerprint }: KeyFacts): NamedOrder =>
  order.requestFingerprint === fingerprint
    ? { status: 'created', order, replayed: true }
    : { status: 'key_reused' };
