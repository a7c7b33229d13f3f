import type { OrderFacts, OrderItem } from '@quicksale/shared/orders';
import { faultPoint, type Clock, type Random } from '@quicksale/shared/process';
import type { ReserveRefusal, ReserveRequest } from '@quicksale/shared/stock-ledger';
import type { OrderNumbers } from './order-numbers.ts';
import {
  recordOrder,
  replayOrder,
  type KeyedAnswer,
  type KeyFacts,
  type NamedOrder,
  type ReplayDeps,
} from './replay-order.ts';
import type { ReserveBatcher } from './reserve-batcher.ts';

export interface ReserveOrderDeps extends ReplayDeps {
  clock: Clock;
  random: Random;
  ledger: Pick<ReserveBatcher, 'reserve'>;
  numbers: OrderNumbers;
}

/** An order to be made, with everything that is known before the ledger is asked. */
export interface WantedOrder {
  kind: 'order' | 'house';
  saleId: string;
  userId: string;
  key: KeyFacts;
  items: readonly Omit<OrderItem, 'unitPrice'>[];
  facts: Pick<
    OrderFacts,
    'currency' | 'key' | 'merchantId' | 'pricing' | 'shippingAddress' | 'billingAddress' | 'house'
  >;
  /**
   * Where sales that the products have left may know the key: the answer that it has there, if any.
   * A fast sale takes nothing before that is known.
   */
  askEarlier?: () => Promise<ReserveOrderResult | undefined>;
  /** A bare hold of this user whose units the order takes, and all that it has units of. */
  hold?: { id: string; productIds: readonly string[] };
}

export type ReserveOrderResult = NamedOrder | ReserveRefusal;

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

/** One call to the ledger of one sale, and what follows from its answer. */
export async function reserveOnce(
  deps: ReserveOrderDeps,
  wanted: WantedOrder,
  replaces?: string,
): Promise<KeyedAnswer | ReserveRefusal> {
  const { kind, saleId, userId, key, items, facts, hold, askEarlier } = wanted;
  const orderNumber = await deps.numbers.take();
  const allFacts: OrderFacts = { orderNumber, saleId, items, ...key, ...facts };
  const request: ReserveRequest = {
    orderId: deps.random.objectId(deps.clock.now()),
    userId,
    kind,
    ...key,
    ...(replaces && { replaces }),
    ...(askEarlier && { earlierUnasked: true }),
    ...(hold && { holdId: hold.id, holdProductIds: hold.productIds }),
    facts: JSON.stringify(allFacts),
    items: items.map(({ productId, quantity }) => ({ productId, quantity })),
  };
  // When this throws, the order may exist: its number is not given back.
  const reply = await deps.ledger.reserve(saleId, request);
  if (reply.status === 'reserved') {
    faultPoint('after-reserve');
    return recordOrder(deps, { saleId, record: reply.record }, key, false);
  }
  deps.numbers.giveBack(orderNumber);
  if (reply.status === 'ask_earlier') {
    const { askEarlier: _asked, ...rest } = wanted;
    return (await askEarlier?.()) ?? reserveOnce(deps, rest, replaces);
  }
  return reply.status === 'replayed' ? replayOrder(deps, reply, key, saleId) : reply;
}

/** Whether the ledger has said for good that there is no order of this request. */
export function isLedgerRefusal(status: ReserveOrderResult['status']): boolean {
  switch (status) {
    case 'sold_out':
    case 'limit':
    case 'too_many_holds':
    case 'hold_gone':
    case 'not_open':
    case 'closed':
    case 'paused':
    case 'unknown_product':
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
