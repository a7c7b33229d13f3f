import { z } from 'zod';
import { defineEvent } from '../define-event.ts';
import { topics } from '../topics.ts';
import { instant, objectId, orderNumber } from './fields.ts';

/** An order is in MongoDB (PENDING); inventory-service is asked whether its hold is there. */
export const orderCreated = defineEvent({
  type: 'order.created',
  version: 1,
  topic: topics.orderCreated,
  key: (data) => data.orderId,
  id: (data) => `${data.orderId}:1`,
  subject: (data) => data.orderId,
  time: (data) => data.at,
  schema: z.object({
    orderId: objectId,
    orderNumber,
    saleId: objectId,
    userId: objectId,
    items: z
      .array(z.object({ productId: objectId, quantity: z.int().min(1).max(100) }))
      .min(1)
      .max(20),
    /** When an unpaid hold ends; null in sales without a payment step. */
    expiresAt: instant.nullable(),
    at: instant,
  }),
});
export type OrderCreated = ReturnType<typeof orderCreated.decode>;
