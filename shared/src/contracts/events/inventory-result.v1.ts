import { z } from 'zod';
import { defineEvent } from '../define-event.ts';
import { topics } from '../topics.ts';
import { eventId, objectId, orderNumber } from './fields.ts';

export const outcomes = ['RESERVED', 'REJECTED'] as const;
export type Outcome = (typeof outcomes)[number];

/** Whether an order's hold is in the ledger. Each order has one answer; a resend is the same fact. */
export const inventoryResult = defineEvent({
  type: 'inventory.result',
  version: 1,
  topic: topics.inventoryResult,
  key: (data) => data.orderId,
  id: (data) => `${data.orderId}:result`,
  subject: (data) => data.orderId,
  schema: z.object({
    orderId: objectId,
    orderNumber,
    userId: objectId,
    saleId: objectId,
    outcome: z.enum(outcomes),
    paymentRequired: z.boolean(),
    /** Id of the event that was answered. */
    causationId: eventId,
    reason: z.string().max(200).optional(),
  }),
});
export type InventoryResult = ReturnType<typeof inventoryResult.decode>;
