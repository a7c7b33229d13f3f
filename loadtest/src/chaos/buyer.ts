import { setTimeout as sleep } from 'node:timers/promises';
import type { Operation } from './history.ts';
import type { Answered, Operate } from './operate.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { Shop } from './shops.ts';
import type { ChaosSystem } from './system.ts';

export interface BuyerDeps {
  system: Pick<ChaosSystem, 'signIn'>;
  operate: Operate;
  random: SeededRandom;
  shops: readonly Shop[];
  /** A user of this run: a new one, or one that has bought before. */
  chooseUser: (random: SeededRandom) => string;
  signal: AbortSignal;
}

interface Wish {
  shop: Shop;
  userId: string;
  token: string;
  key: string;
  items: { productId: string; quantity: number }[];
}

/** So often, and in such steps, somebody who heard nothing asks again. */
const tries = 25;
const stepMs = [100, 700] as const;

/** One visit to a shop: an order, and what its buyer and the merchant do with it. */
export async function visit(deps: BuyerDeps): Promise<void> {
  const { random } = deps;
  const shop = random.pick(deps.shops);
  const userId = deps.chooseUser(random);
  const token = deps.system.signIn('CUSTOMER', userId);
  const wish = { shop, userId, token, key: random.hex(16), items: wantedItems(random, shop) };
  const isTwin = random.isLikely(0.15);
  const [order] = await Promise.all([
    placeUntilFinal(deps, wish),
    isTwin ? placeUntilFinal(deps, wish) : undefined,
    isTwin && random.isLikely(0.3) ? placeUntilFinal(deps, changed(wish)) : undefined,
  ]);
  if (random.isLikely(0.05)) await place(deps, changed(wish));
  const orderId = order?.outcome === 'ok' ? order.orderId : undefined;
  if (!orderId) return;
  if (random.isLikely(0.1)) await place(deps, wish);
  if (shop.kind === 'paid') await settle(deps, wish, orderId);
  else await live(deps, wish, orderId);
  if (random.isLikely(0.1)) await place(deps, wish);
}

function wantedItems(random: SeededRandom, { productIds }: Shop): Wish['items'] {
  const chosen = random.isLikely(0.3) ? productIds : [random.pick(productIds)];
  return chosen.map((productId) => ({
    productId,
    quantity: random.isLikely(0.7) ? 1 : random.between(2, 3),
  }));
}

/** The same key, for something else. */
const changed = (wish: Wish): Wish => ({
  ...wish,
  items: wish.items.map(({ productId, quantity }) => ({ productId, quantity: quantity + 1 })),
});

function place({ operate }: BuyerDeps, { shop, userId, token, key, items }: Wish) {
  return operate(
    { type: 'place', userId, key, saleId: shop.saleId, items },
    { method: 'POST', path: '/api/orders', token, key, body: { items } },
  );
}

const placeUntilFinal = (deps: BuyerDeps, wish: Wish) => insist(deps, () => place(deps, wish));

async function insist(
  { random, signal }: Pick<BuyerDeps, 'random' | 'signal'>,
  ask: () => Promise<Answered>,
): Promise<Operation> {
  for (let tried = 1; ; tried += 1) {
    const { operation } = await ask();
    if (operation.outcome !== 'unknown' || tried >= tries || signal.aborted) return operation;
    await sleep(random.between(...stepMs));
  }
}

/** An order without payment: watched, given up, packed. */
async function live(deps: BuyerDeps, wish: Wish, orderId: string): Promise<void> {
  const { random } = deps;
  if (random.isLikely(0.6)) await follow(deps, wish, orderId);
  if (random.isLikely(0.35)) await cancel(deps, wish, orderId);
  else if (random.isLikely(0.25)) await fulfil(deps, wish, orderId);
}

/** An order that has to be paid: paid, refused, given up, let go, or several at once. */
async function settle(deps: BuyerDeps, wish: Wish, orderId: string): Promise<void> {
  const { random } = deps;
  if (random.isLikely(0.15)) return;
  // Some come when the deadline does.
  if (random.isLikely(0.15)) await sleep(wish.shop.holdMs - random.between(300, 900));
  if (random.isLikely(0.15)) {
    await Promise.all([pay(deps, wish, orderId), cancel(deps, wish, orderId)]);
    return;
  }
  await pay(deps, wish, orderId);
  if (random.isLikely(0.2)) await cancel(deps, wish, orderId);
  else if (random.isLikely(0.15)) await refund(deps, wish, orderId);
  else if (random.isLikely(0.2)) await fulfil(deps, wish, orderId);
  else if (random.isLikely(0.5)) await read(deps, wish, orderId);
}

const methods = [
  { name: 'sim_ok', weight: 6 },
  { name: 'sim_declined', weight: 1 },
  { name: 'sim_delayed', weight: 1 },
  { name: 'sim_duplicate', weight: 1 },
  { name: 'sim_webhook_first', weight: 1 },
  { name: 'sim_answer_lost', weight: 1 },
];

async function pay(deps: BuyerDeps, wish: Wish, orderId: string): Promise<void> {
  const { operate, random } = deps;
  const { userId, token } = wish;
  const of = { userId, orderId, saleId: wish.shop.saleId };
  const opening = { method: 'POST', path: '/api/payments/intent', token } as const;
  const openKey = random.hex(16);
  const opened = await insist(deps, () =>
    operate(
      { type: 'open-payment', ...of, key: openKey },
      { ...opening, key: openKey, body: { orderId } },
    ),
  );
  if (opened.outcome !== 'ok') return;
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const { name: method } = random.weighted(methods);
    const key = random.hex(16);
    const paid = await insist(deps, () =>
      operate(
        { type: 'pay', ...of, key, wanted: method },
        {
          ...{ method: 'POST', path: '/api/payments/confirm', token, key },
          body: { paymentId: orderId, method },
        },
      ),
    );
    if (paid.code !== 'payment-declined') return;
  }
}

async function cancel(deps: BuyerDeps, wish: Wish, orderId: string): Promise<void> {
  const { operate, random } = deps;
  const { userId, token, items } = wish;
  const [first] = items;
  const isPart = first && first.quantity > 1 && random.isLikely(0.5);
  const body = isPart ? { items: [{ ...first, quantity: 1 }] } : {};
  const key = random.hex(16);
  const ask = (one: string) =>
    insist(deps, () =>
      operate(
        {
          ...{ type: 'cancel', userId, orderId, key: one, saleId: wish.shop.saleId },
          ...(isPart && { items: body.items }),
        },
        { method: 'POST', path: `/api/orders/${orderId}/cancel`, token, key: one, body },
      ),
    );
  // Some press twice.
  await Promise.all([ask(key), random.isLikely(0.2) ? ask(key) : undefined]);
}

/** The merchant packs it, as far as it goes. */
async function fulfil(deps: BuyerDeps, wish: Wish, orderId: string): Promise<void> {
  const { operate, random } = deps;
  const { merchantId: userId, saleId } = wish.shop;
  const token = deps.system.signIn('MERCHANT', userId);
  const steps = ['PROCESSING', 'SHIPPED', 'DELIVERED'].slice(0, random.between(1, 3));
  for (const wanted of steps) {
    const body = { status: wanted, ...(wanted === 'SHIPPED' && { trackingNumber: 'QS-1' }) };
    const { outcome } = await insist(deps, () =>
      operate(
        { type: 'set-status', userId, orderId, saleId, wanted },
        { method: 'PUT', path: `/api/orders/${orderId}/status`, token, body },
      ),
    );
    if (outcome !== 'ok') return;
  }
}

async function refund(deps: BuyerDeps, wish: Wish, orderId: string): Promise<void> {
  const { merchantId: userId, saleId } = wish.shop;
  const token = deps.system.signIn('MERCHANT', userId);
  const key = deps.random.hex(16);
  await insist(deps, () =>
    deps.operate(
      { type: 'refund', userId, orderId, saleId, key },
      {
        ...{ method: 'POST', path: `/api/payments/${orderId}/refund`, token, key },
        body: { reason: 'broken' },
      },
    ),
  );
}

function read({ operate }: BuyerDeps, { userId, token, shop }: Wish, orderId: string) {
  return operate(
    { type: 'read', userId, orderId, saleId: shop.saleId },
    { method: 'GET', path: `/api/orders/${orderId}`, token },
  );
}

/** Looks until the order has been looked at by the shop. */
async function follow(deps: BuyerDeps, wish: Wish, orderId: string): Promise<void> {
  for (let looked = 0; looked < 20 && !deps.signal.aborted; looked += 1) {
    const { operation } = await read(deps, wish, orderId);
    if (operation.outcome === 'ok' && operation.told?.status !== 'PENDING') return;
    await sleep(deps.random.between(100, 400));
  }
}
