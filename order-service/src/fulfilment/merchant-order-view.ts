import type { Order } from '@quicksale/shared/orders';
import { orderReply, orderView } from '../orders/order-view.ts';

/** An order in an answer to those who sell it: all but the key by which its buyer asked for it. */
export const merchantOrderReply = orderReply
  .omit({ idempotencyKey: true })
  .meta({ id: 'MerchantOrder' });

/** An order as its merchant reads it. */
export function merchantOrderView(order: Order) {
  const { idempotencyKey: _, ...view } = orderView(order);
  return view;
}
