import { unavailable } from '@quicksale/shared/errors';
import { currentContext, type Logger } from '@quicksale/shared/log';
import type { StockArrivals } from './stock-arrivals.ts';

const limitMs = 2_000;

/** Arrivals through inventory-service's admin port, `POST /internal/movements`. */
export function createHttpStockArrivals(options: {
  /** Of inventory-service's admin port. */
  url: string;
  internalKey: string;
  log: Logger;
}): StockArrivals {
  const url = new URL('/internal/movements', options.url);

  async function post(movement: object): Promise<number> {
    const { requestId, traceparent } = currentContext() ?? {};
    const answer = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      headers: {
        'content-type': 'application/json',
        'x-internal-key': options.internalKey,
        ...(requestId && { 'x-request-id': requestId }),
        ...(traceparent && { traceparent }),
      },
      body: JSON.stringify(movement),
      signal: AbortSignal.timeout(limitMs),
    });
    // Read to its end, so that the connection can serve again.
    await answer.arrayBuffer();
    return answer.status;
  }

  return {
    arrive: async (movement) => {
      const { houseOrderId } = movement;
      let status: number;
      try {
        status = await post(movement);
      } catch (error) {
        options.log.warn({ err: error, houseOrderId }, 'inventory-service did not answer');
        throw unavailable('Stock cannot be moved right now', error);
      }
      if (status === 200) return;
      options.log.warn({ status, houseOrderId }, 'inventory-service did not take a movement');
      throw unavailable('Stock cannot be moved right now');
    },
  };
}
