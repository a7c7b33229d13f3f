import { z } from 'zod';
import { AppError, unavailable } from '@quicksale/shared/errors';
import { currentContext } from '@quicksale/shared/log';
import type { HouseOrder, HouseOrders, MadeHouseOrder } from './house-orders.ts';

const limitMs = 10_000;

const madeOrder = z.object({ orderId: z.string() });
const problem = z.object({
  code: z.string(),
  products: z
    .array(z.object({ productId: z.string(), available: z.number() }))
    .optional()
    .default([]),
});

/** Orders of the house, made by order-service behind its admin port. */
export function createHttpHouseOrders(options: {
  /** Of order-service's admin port. */
  url: string;
  internalKey: string;
}): HouseOrders {
  const url = new URL('/internal/house-orders', options.url);

  async function post(order: HouseOrder): Promise<{ status: number; body: unknown }> {
    const { requestId, traceparent } = currentContext() ?? {};
    try {
      const answer = await fetch(url, {
        method: 'POST',
        redirect: 'error',
        headers: {
          'content-type': 'application/json',
          'x-internal-key': options.internalKey,
          ...(requestId && { 'x-request-id': requestId }),
          ...(traceparent && { traceparent }),
        },
        body: JSON.stringify(order),
        signal: AbortSignal.timeout(limitMs),
      });
      return { status: answer.status, body: await answer.json() };
    } catch (error) {
      // Also an answer that is cut off or no JSON: nobody knows what became of the order.
      throw unavailable('Orders cannot be made right now', error);
    }
  }

  return {
    make: async (order) => {
      const { status, body } = await post(order);
      if (status === 200) return { kind: 'made', orderId: madeOrder.parse(body).orderId };
      return refusal(status, body);
    },
  };
}

function refusal(status: number, body: unknown): MadeHouseOrder {
  const parsed = problem.safeParse(body);
  const code = parsed.data?.code;
  if (status === 409 && code === 'insufficient-stock')
    return { kind: 'insufficient-stock', products: parsed.data?.products ?? [] };
  if (status === 409 && code === 'hold-gone') return { kind: 'hold-gone' };
  const cause = new Error(`order-service answered ${status} ${code ?? 'without a code'}`);
  if (code === 'sale-fenced') throw new AppError('sale-fenced', { cause });
  if (code === 'unknown-product' || code === 'idempotency-key-reused')
    throw new AppError(code, { cause });
  if (status >= 500 || status === 408 || status === 429)
    throw unavailable('Orders cannot be made right now', cause);
  // A wrong key or a body that was not understood: a defect of ours.
  throw new AppError('internal', { cause });
}
