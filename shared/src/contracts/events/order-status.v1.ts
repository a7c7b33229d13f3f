import { z } from 'zod';
import { defineEvent } from '../define-event.ts';
import { topics } from '../topics.ts';
import {
  instant,
  inventoryStatus,
  objectId,
  orderNumber,
  paymentStatus,
  status,
} from './fields.ts';

/** An order changed. Keyed by user: one member of the notifier's group stores a user's events. */
export const orderStatus = defineEvent({
  type: 'order.status',
  version: 1,
  topic: topics.orderStatus,
  key: (data) => data.userId,
  id: (data) => `${data.orderId}:${data.version}`,
  subject: (data) => data.orderId,
  time: (data) => data.at,
  schema: z.object({
    orderId: objectId,
    orderNumber,
    userId: objectId,
    saleId: objectId,
    /** Equal to `to` when only the inventory or payment status changed. */
    from: status,
    to: status,
    inventoryStatus,
    paymentStatus,
    /** Version of the order after the change; version 1 is its creation and has no such event. */
    version: z.int().min(2),
    /** For people. */
    message: z.string().max(500),
    at: instant,
  }),
});
export type OrderStatus = ReturnType<typeof orderStatus.decode>;
