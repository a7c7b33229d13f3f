import { z } from 'zod';
import { orderItems } from '@quicksale/shared/orders';
import { holdId } from '@quicksale/shared/stock-ledger';

const line = z.string().trim().min(1).max(200);

const address = z.strictObject({
  name: line.optional(),
  line1: line,
  line2: line.optional(),
  city: line,
  region: line.optional(),
  postalCode: z.string().trim().min(1).max(20),
  country: z.string().regex(/^[A-Z]{2}$/, 'two capital letters, such as DE'),
});

/** Body of POST /api/orders. */
export const orderRequest = z.strictObject({
  items: orderItems,
  shippingAddress: address.optional(),
  billingAddress: address.optional(),
  /** Units that were put aside for this buyer: the order takes them. */
  holdId: holdId.optional(),
});

export type OrderRequest = z.output<typeof orderRequest>;
