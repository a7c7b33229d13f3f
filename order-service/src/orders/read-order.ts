import type { Order, OrderStore } from '@quicksale/shared/orders';
import type { Clock } from '@quicksale/shared/process';
import type { EarlyAnswers } from '../intake/early-answers.ts';

export interface ReadOrderDeps {
  clock: Clock;
  orders: Pick<OrderStore, 'findOwn'>;
  early: Pick<EarlyAnswers, 'find'>;
}

export type OwnOrder =
  | { status: 'found'; order: Order }
  /** It may have been answered by another process and not be in MongoDB yet. */
  | { status: 'being_recorded' }
  | { status: 'not_found' };

/** Longest that an order of a fast sale may be answered and not be written, with room. */
const youngMs = 10 * 60_000;

/**
 * One of a buyer's own orders. MongoDB is asked first: it may know a later version than the process
 * that took the order.
 */
export async function readOrder(
  deps: ReadOrderDeps,
  { userId, orderId }: { userId: string; orderId: string },
): Promise<OwnOrder> {
  const order = (await deps.orders.findOwn(userId, orderId)) ?? deps.early.find(userId, orderId);
  return order ? { status: 'found', order } : missingOrder(orderId, deps.clock.now());
}

/**
 * What is said of an id that MongoDB does not have for this buyer. Everybody hears the same of a young
 * one, be it somebody else's, not written yet or made up: nobody learns which ids there are.
 */
export function missingOrder(
  orderId: string,
  nowMs: number,
): { status: 'being_recorded' | 'not_found' } {
  // An ObjectId begins with its second.
  const madeMs = Number.parseInt(orderId.slice(0, 8), 16) * 1_000;
  // Either way: the clocks of two processes differ.
  return { status: Math.abs(nowMs - madeMs) < youngMs ? 'being_recorded' : 'not_found' };
}
