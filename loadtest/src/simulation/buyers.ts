import type { CatalogueProduct } from '@quicksale/shared/catalogue';
import { AppError } from '@quicksale/shared/errors';
import { creationAnswer, type Order } from '@quicksale/shared/orders';
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
  /** The answer, byte for byte. */
  answer: string;
}

/** Something else that somebody was told to be done. */
export interface Told {
  what: 'cancelled' | 'paid' | 'refunded' | 'PROCESSING' | 'SHIPPED' | 'restocked' | 'written off';
  /** The order, or the merchant's operation. */
  id: string;
  /** Of a cancel: the digest of its key. */
  digest?: string;
}

/** What everybody outside has seen: the invariants compare it with the stores. */
export interface History {
  attempts: Map<string, Attempt>;
  acknowledged: Acknowledged[];
  told: Told[];
  /** Answers that contradict what was said before. */
  contradictions: { orderId: string; what: string }[];
  counts: Map<string, number>;
}

export const openHistory = (): History => ({
  attempts: new Map(),
  acknowledged: [],
  told: [],
  contradictions: [],
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
    const before = history.acknowledged.find((one) => one.attempt === attempt);
    try {
      const result = await shop.askOrders(life, (one) =>
        one.placeOrder({ userId, key, route: 'POST /api/orders', body: { items: [...items] } }),
      );
      count(result.status);
      if (result.status === 'created') {
        const isFast = shop.sales.find(({ id }) => id === saleId)?.durability === 'fast';
        const { order } = result;
        const answer = String(creationAnswer(order));
        if (before && before.answer !== answer)
          history.contradictions.push({ orderId: before.order.id, what: 'I3: another answer' });
        history.acknowledged.push({ attempt, order, isFast, answer });
      } else if (before && !isOpen(result.status)) {
        // Whoever has an order is told of it for ever, and never "sold out" or the like.
        const what = `I12: told "${result.status}"`;
        history.contradictions.push({ orderId: before.order.id, what });
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
      if (!answers.some(isOpen)) return undefined;
      await world.sleep(life, random.integer(600));
    }
    return undefined;
  }

  async function quietly(
    what: string,
    told: Told,
    work: () => Promise<{ status: string }>,
  ): Promise<void> {
    try {
      const { status } = await work();
      count(`${what} ${status}`);
      if (['cancelled', 'paid', 'refunded', 'done'].includes(status)) history.told.push(told);
    } catch {
      count(`${what} unknown`);
    }
  }

  /** The same key with another body is nobody's order. */
  async function askOtherwise({ key, items: asked }: Attempt, orderId: string): Promise<void> {
    const items = asked.map((item) => ({ ...item, quantity: item.quantity + 1 }));
    try {
      const { status } = await shop.askOrders(life, (one) =>
        one.placeOrder({ userId, key, route: 'POST /api/orders', body: { items } }),
      );
      count(`other body ${status}`);
      const what = 'I3: another body was taken under its key';
      if (status === 'created') history.contradictions.push({ orderId, what });
    } catch {
      count('other body unknown');
    }
  }

  /** What people do with an order: pay it, give it up or some of it, or nothing. */
  async function live(placed: Order): Promise<void> {
    const { id: orderId } = placed;
    const pay = () => {
      const digest = `${userId} pay ${random.integer(2)}`;
      const token = random.pick(tokens);
      return quietly('pay', { what: 'paid', id: orderId }, () =>
        shop.askOrders(life, (one) => one.pay(userId, orderId, digest, token)),
      );
    };
    const cancel = (isAll: boolean) => {
      const [item] = placed.items;
      const units = isAll || !item ? undefined : [{ productId: item.productId, quantity: 1 }];
      const digest = `${userId} ${orderId} cancel ${isAll}`;
      return quietly('cancel', { what: 'cancelled', id: orderId, digest }, () =>
        shop.askOrders(life, (one) =>
          one.cancelOrder({ userId, orderId, digest, fingerprint: 'f', ...(units && { units }) }),
        ),
      );
    };
    const merchant = { role: 'ADMIN', userId: 'merchant' } as const;
    const fulfil = async () => {
      for (const status of ['PROCESSING', 'SHIPPED'] as const)
        await quietly(status, { what: status, id: orderId }, () =>
          shop.askOrders(life, (one) =>
            one.updateStatus(merchant, { orderId, status, check: () => undefined }),
          ),
        );
    };
    const refund = () =>
      quietly('refund', { what: 'refunded', id: orderId }, () =>
        shop.askOrders(life, (one) =>
          one.refund({ paymentId: orderId, reason: 'asked', by: 'support', digest: `r${orderId}` }),
        ),
      );
    const deeds: (() => Promise<void>)[] = [];
    const own = history.acknowledged.findLast(({ order: { id } }) => id === orderId);
    if (own && random.isLikely(0.2)) deeds.push(() => askOtherwise(own.attempt, orderId));
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

/** It may be an order yet, or has to be asked again. */
const isOpen = (status: string) =>
  ['unknown', 'not_recorded', 'in_doubt', 'fenced', 'not_admitted', 'unknown_sale'].includes(
    status,
  );

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
