import { setTimeout as sleep } from 'node:timers/promises';
import { visit, type BuyerDeps } from './buyer.ts';
import type { History } from './history.ts';
import { runMerchant } from './merchant.ts';
import { createOperate } from './operate.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { Shop } from './shops.ts';
import type { ChaosSystem } from './system.ts';

const buyersAtOnce = 10;
const pauseMs = [40, 240] as const;

export interface Load {
  /** Lets everybody finish what they do. */
  stop(): Promise<void>;
  /** One order in each shop, of a shop at rest: whether it has what it says that it has. */
  probe(): Promise<void>;
}

/** Buyers and merchants, until they are told to stop. */
export function startLoad(options: {
  system: ChaosSystem;
  history: History;
  shops: readonly Shop[];
  random: SeededRandom;
}): Load {
  const { system, history, shops } = options;
  const users: string[] = [];
  const known = new Set<string>();
  const operate = createOperate({
    baseUrl: system.gatewayUrl,
    history,
    isBuyer: (id) => known.has(id),
  });
  const stopping = new AbortController();
  const { signal } = stopping;
  const chooseUser = (random: SeededRandom) => {
    if (users.length > 20 && random.isLikely(0.4)) return random.pick(users.slice(-100));
    const user = random.hex(24);
    users.push(user);
    known.add(user);
    return user;
  };

  async function runBuyer(deps: BuyerDeps): Promise<void> {
    while (!signal.aborted) {
      await sleep(deps.random.between(...pauseMs));
      await visit(deps);
    }
  }

  const deps = { system, operate, shops, chooseUser, signal };
  const everybody = Promise.all([
    ...Array.from({ length: buyersAtOnce }, (_, index) =>
      runBuyer({ ...deps, random: options.random.fork(`buyer ${index}`) }),
    ),
    ...shops.map((shop) =>
      runMerchant({ ...deps, random: options.random.fork(`merchant ${shop.kind}`) }, shop),
    ),
  ]);
  // Whoever stops the load hears of it.
  everybody.catch(() => undefined);

  return {
    stop: async () => {
      stopping.abort();
      await everybody;
    },
    probe: async () => {
      const random = options.random.fork('probe');
      for (const { saleId, productIds } of shops)
        for (const productId of productIds) {
          const userId = random.hex(24);
          const token = system.signIn('CUSTOMER', userId);
          await operate(
            { type: 'read-product', userId, saleId, productId, isProbe: true },
            { method: 'GET', path: `/api/inventory/products/${productId}`, token },
          );
          const items = [{ productId, quantity: 1 }];
          const key = random.hex(16);
          await operate(
            { type: 'place', userId, saleId, productId, key, items, isProbe: true },
            { method: 'POST', path: '/api/orders', token, key, body: { items } },
          );
        }
    },
  };
}
