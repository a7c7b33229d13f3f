import { z } from 'zod';
import { AppError, errorRegistry } from '@quicksale/shared/errors';
import { toWire } from '@quicksale/shared/money';
import { createdOrder, creationReply } from '@quicksale/shared/orders';
import type { CheckOutResult, RefusedSale } from './check-out.ts';
import { priceChanged } from './order-sale.ts';

const refusedSale = z
  .object({
    /** Null for what is sold nowhere. */
    saleId: z.string().nullable(),
    items: z.array(
      z.object({
        productId: z.string(),
        quantity: z.number().int(),
        /** The price that it was not ordered at. */
        unitPrice: z.number(),
      }),
    ),
    /** As it would be answered to an order of these items; a code may bring fields of its own. */
    problem: z.looseObject({
      code: z.string(),
      status: z.number().int(),
      title: z.string(),
      detail: z.string(),
    }),
  })
  .meta({ id: 'RefusedSale' });

/** The 201 of POST /api/cart/checkout: there is at least one order. */
export const checkoutReply = z
  .object({
    orders: z.array(creationReply.shape.order),
    /** What was not ordered, and is still in the cart. */
    refused: z.array(refusedSale),
  })
  .meta({ id: 'Checkout' });

/** What a buyer is told of a checkout; throws when there is no order, or it is not certain yet. */
export function checkoutAnswer(result: CheckOutResult): z.input<typeof checkoutReply> {
  switch (result.status) {
    case 'done':
      if (result.orders.length === 0) throw wholeRefusal(result.refused);
      return { orders: result.orders.map(createdOrder), refused: result.refused.map(viewRefused) };
    case 'price_changed':
      throw priceChanged(result.changes);
    case 'empty':
      throw new AppError('cart-empty');
    case 'busy':
      throw new AppError('request-in-progress', {
        message: 'Another checkout of this cart is being worked on',
        retryAfterSeconds: 1,
      });
    case 'key_reused':
      throw new AppError('idempotency-key-reused', {
        message: 'This Idempotency-Key was used with another body',
      });
    case 'unknown':
      throw result.error;
  }
}

/** One refusal is told as it is; of several the first, with the list of all. */
function wholeRefusal(refused: readonly RefusedSale[]): AppError {
  const [first] = refused;
  if (!first) throw new Error('a checkout has neither an order nor a refusal');
  const { error } = first;
  if (refused.length === 1) return error;
  return new AppError(error.code, {
    message: error.message,
    extensions: { ...error.extensions, refused: refused.map(viewRefused) },
  });
}

const viewRefused = ({ saleId, items, error }: RefusedSale): z.input<typeof refusedSale> => ({
  saleId,
  items: items.map(({ productId, quantity, price }) => ({
    productId,
    quantity,
    unitPrice: toWire(price),
  })),
  problem: {
    code: error.code,
    status: errorRegistry[error.code].status,
    title: errorRegistry[error.code].title,
    detail: error.message,
    ...error.extensions,
  },
});
