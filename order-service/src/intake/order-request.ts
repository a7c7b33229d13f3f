import { z } from 'zod';
import { address, orderItems } from '@quicksale/shared/orders';
import { holdId } from '@quicksale/shared/stock-ledger';
import { discountCode } from '../pricing/discount-fields.ts';

/** Body of POST /api/orders. */
export const orderRequest = z.strictObject({
  items: orderItems,
  shippingAddress: address.optional(),
  billingAddress: address.optional(),
  /** Units that were put aside for this buyer: the order takes them. */
  holdId: holdId.optional(),
  /** Takes something off; capital or not. */
  discountCode: discountCode.optional(),
});

export type OrderRequest = z.output<typeof orderRequest>;
