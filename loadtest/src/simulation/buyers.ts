import type { CatalogueProduct } from '@quicksale/shared/catalogue';
import { AppError } from '@quicksale/shared/errors';
import type { Order } from '@quicksale/shared/orders';
import type { Life } from './scheduler.ts';
import type { Shop } from './shop.ts';

/** What a buyer asked for under one key. */
export interface Attempt {
  userId: string;
  saleId: string;
  key: string;
  items: readonly { productId: string; quantity: number }[];
}

/** An order that somebody was told to have. */
export interface Acknowledged {
  attempt: Attempt;
  order: Order;
  /** Of a fast sale: told before MongoDB has it. */
  isFast: boolean;
  atStep: number;
}

/** What everybody outside has seen: the invariants compare it with the stores. */
export interface History {
  attempts: Map<string, Attempt>;
  acknowledged: Acknowledged[];
  counts: Map<string, number>;
}

export const openHistory = (): History => ({
  attempts: new Map(),
  acknowledged: [],
  counts: new Map(),
});

const mostTries = 8;

export const attemptName = ({ userId, key }: Pick<Attempt, 'userId' | 'key'>) => `${userId} ${key}`;

/** One buyer, from opening the page to the last click; resolves when there is nothing left to do. */
export async function buy(
  shop: Shop,
  history: History,
  userId: string,
  products: readonly CatalogueProduct[],
): Promise<void> {
  const { world } = shop;
  const { random } = world;
  const life: Life = { name: `buyer-${userId.slice(-2)}`, isAlive: true };
  const count = (what: string) => history.counts.set(what, (history.counts.get(what) ?? 0) + 1);

  async function once(attempt: Attempt): Promise<string> {
    const { saleId, key, items } = attempt;
    try {
      const result = await shop.askOrders(life, (one) =>
        one.placeOrder({ userId, key, route: 'POST /api/orders', body: { items: [...items] } }),
      );
      count(result.status);
      if (result.status === 'created') {
        const isFast = shop.sales.find(({ id }) => id === saleId)?.durability === 'fast';
        const { order } = result;
        history.acknowledged.push({ attempt, order, isFast, atStep: world.steps() });
      }
      return result.status;
    } catch (error) {
      const isKnown = error instanceof AppError;
      count(isKnown ? 'unknown' : 'failed');
      return 'unknown';
    }
  }

  /** Until it is known what became of it, with the same key; sometimes twice at the same time. */
  async function order(attempt: Attempt): Promise<Order | undefined> {
    for (let tried = 0; tried < mostTries; tried += 1) {
      const twins = random.isLikely(0.2) ? 2 : 1;
      const answers = await Promise.all(Array.from({ length: twins }, () => once(attempt)));
      if (answers.includes('created'))
        return history.acknowledged.findLast((one) => one.attempt === attempt)?.order;
      const isOpen = [
        'unknown',
        'not_recorded',
        'in_doubt',
        'fenced',
        'not_admitted',
        'unknown_sale',
      ];
      if (!answers.some((answer) => isOpen.includes(answer))) return undefined;
      await world.sleep(life, random.integer(600));
    }
    return undefined;
  }

  async function quietly(what: string, work: () => Promise<{ status: string }>): Promise<void> {
    try {
      count(`${what} ${(await work()).status}`);
    } catch {
      count(`${what} unknown`);
    }
  }

  /** What people do with an order: pay it, give it up or some of it, or nothing. */
  async function live(placed: Order): Promise<void> {
    const { id: orderId } = placed;
    const pay = () => {
      const digest = `${userId} pay ${random.integer(2)}`;
      const token = random.pick(tokens);
      return quietly('pay', () =>
        shop.askOrders(life, (one) => one.pay(userId, orderId, digest, token)),
      );
    };
    const cancel = (isAll: boolean) => {
      const [item] = placed.items;
      const units = isAll || !item ? undefined : [{ productId: item.productId, quantity: 1 }];
      const digest = `${userId} ${orderId} cancel ${isAll}`;
      return quietly('cancel', () =>
        shop.askOrders(life, (one) =>
          one.cancelOrder({ userId, orderId, digest, fingerprint: 'f', ...(units && { units }) }),
        ),
      );
    };
    const merchant = { role: 'ADMIN', userId: 'merchant' } as const;
    const fulfil = async () => {
      for (const status of ['PROCESSING', 'SHIPPED'] as const)
        await quietly(status, () =>
          shop.askOrders(life, (one) =>
            one.updateStatus(merchant, { orderId, status, check: () => undefined }),
          ),
        );
    };
    const refund = () =>
      quietly('refund', () =>
        shop.askOrders(life, (one) =>
          one.refund({ paymentId: orderId, reason: 'asked', by: 'support', digest: `r${orderId}` }),
        ),
      );
    const deeds: (() => Promise<void>)[] = [];
    if (placed.expiresAt && random.isLikely(0.8)) deeds.push(pay);
    if (placed.expiresAt && random.isLikely(0.3)) deeds.push(pay);
    if (random.isLikely(0.3)) deeds.push(() => cancel(true));
    if (random.isLikely(0.2)) deeds.push(() => cancel(false));
    if (random.isLikely(0.3)) deeds.push(fulfil);
    if (placed.expiresAt && random.isLikely(0.2)) deeds.push(refund);
    const isAtOnce = random.isLikely(0.4);
    const running: Promise<void>[] = [];
    for (const deed of deeds) {
      await world.sleep(life, random.integer(isAtOnce ? 50 : 1_500));
      if (isAtOnce) running.push(deed());
      else await deed();
    }
    await Promise.all(running);
  }

  const later: Attempt[] = [];
  const orders = 1 + random.integer(3);
  for (let index = 0; index < orders; index += 1) {
    await world.sleep(life, random.integer(1_500));
    const product = random.pick(products);
    const beside = products.find(
      ({ id, saleId }) => saleId === product.saleId && id !== product.id && random.isLikely(0.3),
    );
    const attempt: Attempt = {
      ...{ userId, saleId: product.saleId, key: `key-${index}` },
      items: [product, ...(beside ? [beside] : [])].map(({ id }) => ({
        productId: id,
        quantity: 1 + random.integer(2),
      })),
    };
    history.attempts.set(attemptName(attempt), attempt);
    const placed = await order(attempt);
    if (placed) await live(placed);
    later.push(attempt);
  }
  // Much later somebody finds the requests in a queue and sends them again.
  for (const attempt of later.filter(() => random.isLikely(0.6))) {
    await world.sleep(life, random.integer(2_000));
    await once(attempt);
  }
}

const tokens = [
  'sim_ok',
  'sim_ok',
  'sim_ok',
  'sim_declined',
  'sim_delayed',
  'sim_late',
  'sim_duplicate',
  'sim_webhook_first',
  'sim_answer_lost',
] as const;
