import type { Order } from '@quicksale/shared/orders';
import type { History, Told } from './buyers.ts';
import type { Invariants } from './invariants.ts';
import type { Shop } from './shop.ts';

/** Compares what people and topics were told with what is so, once all is quiet. */
export function lookAtWords(shop: Shop, history: History, invariants: Invariants): void {
  const { world, mongo, bus } = shop;
  const fast = new Set(
    history.acknowledged.filter(({ isFast }) => isFast).map(({ order }) => order.id),
  );
  const isExcused = (id: string) =>
    invariants.isExcused(id) || (invariants.hasLost() && fast.has(id));
  const orders = new Map(mongo.orders.look().map((order) => [order.id, order]));
  for (const { orderId, what } of history.contradictions)
    if (!isExcused(orderId)) world.violate(`${what}, of ${orderId}`);
  for (const told of history.told)
    if (!isExcused(told.id) && !isSo(shop, orders, told))
      world.violate(`I4: told "${told.what}" of ${told.id}, and it is not so`);
  for (const { id, data } of bus.all('order.status')) {
    const event = data as Record<
      'orderId' | 'userId' | 'to' | 'version' | 'paymentStatus',
      unknown
    >;
    const order = orders.get(String(event.orderId));
    const step = order?.history[Number(event.version) - 1];
    if (order?.userId !== event.userId) world.violate(`I15: ${id} is told to somebody else`);
    if (
      step?.to !== event.to ||
      (step?.paymentStatus ?? event.paymentStatus) !== event.paymentStatus
    )
      world.violate(`I7: ${id} tells of a step that was not made`);
  }
}

function isSo(shop: Shop, orders: ReadonlyMap<string, Order>, { what, id, digest }: Told): boolean {
  const order = orders.get(id);
  const has = (test: (step: Order['history'][number]) => boolean) =>
    order?.history.some(test) === true;
  switch (what) {
    case 'cancelled':
      return order?.status === 'CANCELLED' || has(({ cause }) => cause === `cancel:${digest}`);
    case 'paid':
      return has(({ cause }) => cause === id);
    case 'refunded':
      return ['REFUNDED', 'CANCELLED', 'EXPIRED'].includes(order?.status ?? '');
    case 'PROCESSING':
    case 'SHIPPED':
      return has(({ to }) => to === what);
    case 'restocked':
      return shop.mongo.movements.has(id);
    case 'written off': {
      const made = [...orders.values()].filter(
        ({ kind, idempotencyKey }) => kind === 'house' && idempotencyKey === id,
      );
      return made.length === 1 && made[0]?.inventoryStatus === 'SOLD';
    }
    default:
      return what satisfies never;
  }
}
