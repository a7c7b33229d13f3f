import { z } from 'zod';
import { money } from '@quicksale/shared/money';

/** Text for people: no control characters, none of them invisible. */
const line = (longest: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(longest)
    .regex(/^\P{C}*$/u, 'no control characters');

export const name = line(200);
export const category = line(80);
export const description = z
  .string()
  .max(5_000)
  .regex(/^[\P{C}\n\r\t]*$/u, 'no control characters');

/** Body of POST /api/inventory/products. */
export const newProduct = z.strictObject({
  name,
  description,
  price: money,
  originalPrice: money.optional(),
  stock: z.number().int().min(0).max(1_000_000),
  sku: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'letters, digits, dot, hyphen and underscore'),
  category,
});

/** Body of PATCH: a JSON merge patch (RFC 7396), so null removes what may be missing. */
export const productChange = z
  .strictObject({
    name: name.optional(),
    description: description.optional(),
    price: money.optional(),
    originalPrice: money.nullable().optional(),
    category: category.optional(),
  })
  .refine((change) => Object.keys(change).length > 0, 'name at least one field');
