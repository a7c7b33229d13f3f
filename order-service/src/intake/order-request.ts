import { z } from 'zod';
import { address, orderItems } from '@quicksale/shared/orders';
import { holdId } from '@quicksale/shared/stock-ledger';

/** Body of POST /api/orders. */
export const orderRequest = z.strictObject({
  items: orderItems,
  shippingAddress: address.optional(),
  billingAddress: address.optional(),
  /** Units that were put aside for this buyer: the order takes them. */
  holdId: holdId.optional(),
});

export type OrderRequest = z.output<typeof orderRequest>;
