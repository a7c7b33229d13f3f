import { setTimeout as sleep } from 'node:timers/promises';
import type { Answered, Operate } from './operate.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { Shop } from './shops.ts';
import type { ChaosSystem } from './system.ts';

/** Below this the merchant brings more. */
const lowStock = 3;
const tries = 12;

/**
 * Keeps a shop stocked until told to stop, sometimes by setting an absolute number, which takes units
 * away through an order of the house. What was not heard of is asked for again under the same key.
 */
export async function runMerchant(
  deps: { system: ChaosSystem; operate: Operate; random: SeededRandom; signal: AbortSignal },
  shop: Shop,
): Promise<void> {
  const { operate, random, signal } = deps;
  const { merchantId: userId, saleId } = shop;
  const token = deps.system.signIn('MERCHANT', userId);

  async function insist(ask: () => Promise<Answered>): Promise<void> {
    for (let tried = 0; tried < tries; tried += 1) {
      const { operation } = await ask();
      if (operation.outcome !== 'unknown') return;
      await sleep(random.between(200, 800));
    }
  }

  while (!signal.aborted) {
    await sleep(random.between(600, 1_800));
    if (signal.aborted) return;
    const productId = random.pick(shop.productIds);
    const path = `/api/inventory/products/${productId}`;
    const of = { userId, saleId, productId };
    const read = await operate({ type: 'read-product', ...of }, { method: 'GET', path, token });
    const available = read.operation.told?.available;
    if (available === undefined || Number.isNaN(available)) continue;
    // It stays sold out for a while.
    if (!random.isLikely(available < lowStock ? 0.5 : 0.1)) continue;
    if (read.tag && random.isLikely(0.3)) {
      const now = Number(read.body.stock);
      const wanted = Math.max(0, now + random.between(-Math.min(available, 5), 12));
      // Not again: what was read is old then.
      await operate(
        { type: 'set-stock', ...of, wanted },
        { method: 'PUT', path: `${path}/stock`, token, ifMatch: read.tag, body: { stock: wanted } },
      );
      continue;
    }
    const [units, key] = [random.between(4, 12), random.hex(16)];
    const body = { units, reason: 'restock' };
    await insist(() =>
      operate(
        { type: 'restock', ...of, key, wanted: units },
        { method: 'POST', path: `${path}/restock`, token, key, body },
      ),
    );
  }
}
