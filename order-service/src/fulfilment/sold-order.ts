import type { Principal } from '@quicksale/shared/auth';
import type { Order, OrderStore } from '@quicksale/shared/orders';

/**
 * A buyer's order as whoever sells, or looks after those who do, finds it: merchants those of their
 * own products, ADMIN and SUPPORT all. Orders of the house are for nobody.
 */
export async function findSoldOrder(
  orders: Pick<OrderStore, 'findByIds'>,
  { role, userId }: Pick<Principal, 'role' | 'userId'>,
  orderId: string,
): Promise<Order | undefined> {
  const [order] = await orders.findByIds([orderId]);
  if (order?.kind !== 'order') return undefined;
  const isAllowed =
    role === 'ADMIN' || role === 'SUPPORT' || (role === 'MERCHANT' && order.merchantId === userId);
  return isAllowed ? order : undefined;
}
