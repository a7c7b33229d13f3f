import type { Shop } from './shop.ts';
import type { Witness } from './simulated-ledger.ts';

/**
 * Judges the ledger's answers at the instant at which they are given: later the world has moved on,
 * and the same words may be right or wrong.
 */
export function watchAnswers(
  shop: Shop,
  isExcused: (orderId: string) => boolean,
): { note: Witness } {
  const { world, mongo, sales } = shop;
  return {
    note: (saleId, request, reply, server) => {
      const sale = sales.find(({ id }) => id === saleId);
      if (!sale || request.kind !== 'order') return;
      if (reply.status === 'reserved') {
        const nowMs = world.now();
        if (nowMs < sale.opensAt.getTime() || nowMs >= sale.closesAt.getTime())
          world.violate(`I13: ${request.orderId} was taken while the sale was not open`);
      }
      if (reply.status !== 'sold_out') return;
      const lines = server.memory.state.sales.get(saleId)?.lines;
      const isThere = request.items.every(
        ({ productId, quantity }) => (lines?.get(productId)?.available ?? 0) >= quantity,
      );
      if (isThere)
        world.violate(`I13: ${request.orderId} was told "sold out", and all of it is there`);
      const named = mongo.orders
        .look()
        .find(({ idempotencyDigest, units }) => idempotencyDigest === request.digest && units);
      // A ledger that has lost an order in flight cannot know its key (design 2).
      if (named && !isExcused(named.id))
        world.violate(`I12: ${named.id} is named by a key that is told "sold out"`);
    },
  };
}
