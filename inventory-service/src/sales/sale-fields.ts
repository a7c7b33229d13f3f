import { z } from 'zod';
import { money } from '@quicksale/shared/money';
import { name } from '../products/product-fields.ts';
import { objectId } from '../products/product-answer.ts';

const time = z.iso
  .datetime({ offset: true, error: 'a time such as 2026-12-24T18:00:00Z' })
  .transform((text) => new Date(text));

const mostItems = 50;
/** Far more than a flash sale has; each thousand of an allotment is a move of its own. */
const mostUnits = 100_000;
const units = z.number().int().min(1).max(mostUnits);

const terms = {
  name,
  opensAt: time,
  closesAt: time,
  perBuyerLimit: z.number().int().min(0).max(10_000),
  holdMs: z
    .number()
    .int()
    .min(0)
    .max(86_400_000)
    .refine((ms) => ms === 0 || ms >= 1_000, '0 or at least 1000'),
  durability: z.enum(['safe', 'fast']),
};

const namedOnce = (items: readonly { productId: string }[]) =>
  new Set(items.map(({ productId }) => productId)).size === items.length;

/** Body of POST /api/sales. */
export const newSale = z
  .strictObject({
    ...terms,
    perBuyerLimit: terms.perBuyerLimit.default(0),
    holdMs: terms.holdMs.default(0),
    durability: terms.durability.default('safe'),
    items: z
      .array(z.strictObject({ productId: objectId, price: money, stock: units }))
      .min(1)
      .max(mostItems)
      .refine(namedOnce, 'name each product once'),
  })
  .refine(({ opensAt, closesAt }) => opensAt < closesAt, {
    path: ['closesAt'],
    message: 'later than opensAt',
  });

/** Body of PATCH: what is named changes. */
export const saleTerms = z
  .strictObject({
    name: terms.name.optional(),
    opensAt: terms.opensAt.optional(),
    closesAt: terms.closesAt.optional(),
    perBuyerLimit: terms.perBuyerLimit.optional(),
    holdMs: terms.holdMs.optional(),
    durability: terms.durability.optional(),
    items: z
      .array(z.strictObject({ productId: objectId, price: money }))
      .min(1)
      .max(mostItems)
      .refine(namedOnce, 'name each product once')
      .optional(),
  })
  .refine((change) => Object.keys(change).length > 0, 'name at least one field');

/** Body of POST /api/sales/:id/restock. */
export const saleRestock = z.strictObject({ productId: objectId, units });
