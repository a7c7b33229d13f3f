import { z } from 'zod';

/** An id of a document in a request: 24 hex digits. */
export const objectId = z
  .string()
  .regex(/^[0-9a-fA-F]{24}$/, 'must be an id of 24 hex digits')
  .transform((id) => id.toLowerCase());

/** What is asked for by an order or a hold. */
export const orderItems = z
  .array(z.strictObject({ productId: objectId, quantity: z.number().int().min(1).max(100) }))
  .min(1)
  .max(20)
  .refine(
    (items) => new Set(items.map((item) => item.productId)).size === items.length,
    'name each product once',
  );
