import { z } from 'zod';

/** An id of a document: 24 hex digits. */
export const objectId = z
  .string()
  .regex(/^[0-9a-fA-F]{24}$/, 'must be an id of 24 hex digits')
  .transform((id) => id.toLowerCase());

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

/** So many units of up to 20 products. */
export const itemList = z
  .array(z.strictObject({ productId: objectId, quantity: z.number().int().min(1).max(100) }))
  .min(1)
  .max(20)
  .refine(
    (items) => new Set(items.map((item) => item.productId)).size === items.length,
    'name each product once',
  );

/** Body of POST /api/orders. */
export const orderRequest = z.strictObject({
  items: itemList,
  shippingAddress: address.optional(),
  billingAddress: address.optional(),
});

export type OrderRequest = z.output<typeof orderRequest>;
