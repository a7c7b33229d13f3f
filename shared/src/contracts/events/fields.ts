import { z } from 'zod';
import { inventoryStatuses, paymentStatuses, statuses } from '../order-status.ts';

/** Ids of documents: 24 hex digits. */
export const objectId = z.string().regex(/^[0-9a-f]{24}$/);
/** ISO 8601 in UTC. */
export const instant = z.iso.datetime();
export const orderNumber = z.string().min(1).max(40);
export const eventId = z.string().min(1).max(80);
export const status = z.enum(statuses);
export const inventoryStatus = z.enum(inventoryStatuses);
export const paymentStatus = z.enum(paymentStatuses);
