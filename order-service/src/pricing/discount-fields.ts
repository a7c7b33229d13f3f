import { z } from 'zod';
import { money, toWire } from '@quicksale/shared/money';
import { objectId } from '@quicksale/shared/orders';
import type { Discount } from './discount.ts';

/** A code as buyers type it. */
export const discountCode = z
  .string()
  .regex(/^[A-Za-z0-9_-]{3,32}$/, '3 to 32 letters, digits, - and _');

/** A percentage with at most two decimals; parsed to hundredths of a percent. */
export const percent = z
  .number()
  .min(0)
  .max(100)
  .refine((value) => Number(value.toFixed(2)) === value, 'at most two decimals')
  .transform((value) => Math.round(value * 100));

/** Query of the routes that are about one merchant: an administrator says about whom. */
export const merchantQuery = z.strictObject({ merchantId: objectId.optional() });

const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));
const usesTotal = z.number().int().min(1).max(100_000);

/** Body of POST /api/merchant/discounts. */
export const discountBody = z
  .strictObject({
    code: discountCode,
    kind: z.enum(['percentage', 'amount']),
    /** Percent, or major units of the currency. */
    value: money.refine((value) => value > 0, 'more than nothing'),
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/, 'three capital letters')
      .optional(),
    usesTotal: usesTotal.optional(),
    usesPerUser: z.number().int().min(1).max(100).optional(),
    startsAt: time.optional(),
    endsAt: time.optional(),
    active: z.boolean().default(true),
  })
  .superRefine(({ kind, value, currency, startsAt, endsAt }, context) => {
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    if (kind === 'amount' && !currency) refuse('currency', 'an amount needs a currency');
    if (kind === 'percentage' && currency) refuse('currency', 'a percentage has no currency');
    if (kind === 'percentage' && value > 10_000) refuse('value', 'at most 100 percent');
    if (startsAt && endsAt && endsAt <= startsAt) refuse('endsAt', 'ends before it starts');
  });

/** Body of PATCH /api/merchant/discounts/:id. */
export const discountChange = z.strictObject({
  active: z.boolean().optional(),
  /** null: it has no end any more. */
  endsAt: time.nullable().optional(),
  usesTotal: usesTotal.optional(),
});

/** A discount in an answer. */
export const discountReply = z
  .object({
    _id: z.string(),
    merchantId: z.string(),
    code: z.string(),
    kind: z.enum(['percentage', 'amount']),
    value: z.number(),
    currency: z.string().optional(),
    usesTotal: z.number().int().nullable(),
    usesPerUser: z.number().int().nullable(),
    startsAt: z.iso.datetime().nullable(),
    endsAt: z.iso.datetime().nullable(),
    active: z.boolean(),
    /** Orders that have it, and those that are being placed. */
    uses: z.number().int(),
    version: z.number().int(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Discount' });

/** A discount as its merchant reads it. */
export const discountView = (discount: Discount, uses: number) => ({
  _id: discount.id,
  merchantId: discount.merchantId,
  code: discount.code,
  kind: discount.kind,
  // Hundredths of either are what the wire has two decimals of.
  value: toWire(discount.value),
  ...(discount.currency && { currency: discount.currency }),
  usesTotal: discount.usesTotal ?? null,
  usesPerUser: discount.usesPerUser ?? null,
  startsAt: discount.startsAt?.toISOString() ?? null,
  endsAt: discount.endsAt?.toISOString() ?? null,
  active: discount.active,
  uses,
  version: discount.version,
  createdAt: discount.createdAt.toISOString(),
});
