import { z } from 'zod';
import { objectId } from '@quicksale/shared/orders';

/**
 * Units of one order of the house. Each is an entry of the unique index and of a list that is emptied
 * again: 5,000 take about 0.3 s of either on a busy machine, where the database has 2 s, and the
 * ledger 15 ms. Who needs more asks in several operations.
 */
export const mostHouseUnits = 5_000;

/** Body of POST /internal/house-orders. */
export const houseOrderRequest = z
  .strictObject({
    /** The key of the order: asked for again, it is made once. */
    operationId: z.string().min(1).max(200),
    saleId: objectId,
    /** The user who asked. */
    by: objectId,
    reason: z.enum(['damage', 'correction', 'allotment', 'confirmed-hold']),
    items: z
      .array(
        z.strictObject({
          productId: objectId,
          quantity: z.number().int().min(1).max(mostHouseUnits),
        }),
      )
      .min(1)
      .max(20)
      .refine(
        (items) => new Set(items.map((item) => item.productId)).size === items.length,
        'name each product once',
      )
      .refine(
        (items) => items.reduce((sum, item) => sum + item.quantity, 0) <= mostHouseUnits,
        `at most ${mostHouseUnits} units in total`,
      ),
    /** The sale that the units move to. */
    to: objectId.optional(),
    /** A bare hold of `holdUserId` whose units the order takes. */
    holdId: objectId.optional(),
    holdUserId: objectId.optional(),
  })
  .refine(({ to, items }) => to === undefined || items.length === 1, {
    path: ['items'],
    message: 'units of one product move at a time',
  })
  .refine(({ to, saleId }) => to !== saleId, { path: ['to'], message: 'must be another sale' })
  .refine(({ holdId, holdUserId }) => (holdId === undefined) === (holdUserId === undefined), {
    path: ['holdUserId'],
    message: 'holdId and holdUserId go together',
  });

export type HouseOrderRequest = z.output<typeof houseOrderRequest>;
