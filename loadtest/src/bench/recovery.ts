import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningStack } from './running-stack.ts';

type Say = (line: string) => void;

/** Parts whose loss an order meets on its way, in the order of that way. */
const parts = [
  'gateway',
  'order-service',
  'redis-ledger',
  'ferretdb',
  'postgres',
  'kafka',
  'inventory-service',
  'kafka-processor',
  'notifier-service',
  'redis',
] as const;

/** Between two kills, so that each meets a system at rest. */
const restMs = 2_000;
const patienceMs = 120_000;
const tryEveryMs = 20;

/**
 * Kills one part of the running stack after the other (SIGKILL) and measures how long it takes until
 * a new order is accepted, and until an order that was placed after the kill is CONFIRMED.
 */
export async function measureRecovery(
  stack: RunningStack,
  { kills, runFolder }: { kills: number; runFolder: string },
  say: Say,
): Promise<void> {
  const merchant = stack.sign('MERCHANT');
  const made = await stack.api.call('/api/inventory/products', {
    token: merchant.token,
    body: {
      ...{ name: 'Benchmark product', description: 'One unit per order', price: 49.99 },
      ...{ stock: 100_000, sku: 'BENCH', category: 'bench' },
    },
  });
  if (made.status !== 201) throw new Error(`no product: ${made.text}`);
  const productId = (made.body.product as { _id: string })._id;
  say(`${stack.machine}; each part killed ${kills} times, one at a time, in a system at rest`);
  say('from the kill until a new order is accepted, and until it is CONFIRMED');
  const placed: string[] = [];
  for (const part of parts) {
    const accepted: number[] = [];
    const confirmed: number[] = [];
    for (let kill = 1; kill <= kills; kill += 1) {
      await sleep(restMs);
      const { pid } = JSON.parse(readFileSync(join(runFolder, `${part}.pid`), 'utf8')) as {
        pid: number;
      };
      process.kill(pid, 'SIGKILL');
      const killedAt = performance.now();
      const orderId = await placeUntilAccepted(stack, `${part}-${kill}`, productId);
      accepted.push(performance.now() - killedAt);
      await untilConfirmed(stack, orderId);
      confirmed.push(performance.now() - killedAt);
      placed.push(orderId);
    }
    say(
      `${part.padEnd(18)} accepted ${middleAndMax(accepted)}   confirmed ${middleAndMax(confirmed)}`,
    );
  }
  await audit(stack, { saleId: merchant.userId, productId, placed }, say);
}

/** The same key again and again, as a buyer's client does. */
async function placeUntilAccepted(stack: RunningStack, key: string, productId: string) {
  const { token } = stack.sign('CUSTOMER');
  const limit = Date.now() + patienceMs;
  for (;;) {
    const answer = await stack.api
      .call('/api/orders', {
        ...{ token, key, limitMs: 3_000 },
        body: { items: [{ productId, quantity: 1 }] },
      })
      .catch(() => undefined);
    if (answer?.status === 201) return (answer.body.order as { _id: string })._id;
    if (answer && ![408, 429, 502, 503].includes(answer.status))
      throw new Error(`refused: ${answer.text}`);
    if (Date.now() > limit) throw new Error(`${key}: no order in ${patienceMs} ms`);
    await sleep(tryEveryMs);
  }
}

async function untilConfirmed(stack: RunningStack, orderId: string): Promise<void> {
  const { ObjectId } = stack.mongo.connection.base.mongo;
  const orders = stack.mongo.db().collection('orders');
  const limit = Date.now() + patienceMs;
  for (;;) {
    // Not by GET: its limit would end the measurement.
    const order = await orders.findOne({ _id: new ObjectId(orderId) }).catch(() => undefined);
    if (order?.status === 'CONFIRMED') return;
    if (Date.now() > limit) throw new Error(`${orderId} is ${String(order?.status)}`);
    await sleep(tryEveryMs);
  }
}

/** A figure counts only when nothing was lost or sold twice. */
async function audit(
  stack: RunningStack,
  { saleId, productId, placed }: { saleId: string; productId: string; placed: readonly string[] },
  say: Say,
): Promise<void> {
  const found = await stack.mongo.db().collection('orders').find({ saleId }).toArray();
  const units = new Set(found.flatMap(({ units: owned }) => owned as string[]));
  const snapshot = await stack.ledger.snapshot(saleId);
  if (typeof snapshot === 'string') throw new Error(`the ledger says ${snapshot}`);
  const { last = 0, available = 0 } = snapshot.products[productId] ?? {};
  const ids = new Set(found.map(({ _id }) => String(_id)));
  const isRight =
    placed.every((orderId) => ids.has(orderId)) &&
    found.length === placed.length &&
    units.size === placed.length &&
    snapshot.records.length === placed.length &&
    available === last - placed.length;
  say(
    `audit: accepted ${placed.length} = orders ${found.length} = units ${units.size} = ` +
      `records ${snapshot.records.length}: ${isRight ? 'ok' : 'WRONG'}`,
  );
  if (!isRight) process.exitCode = 1;
}

function middleAndMax(valuesMs: readonly number[]): string {
  const sorted = [...valuesMs].sort((a, b) => a - b);
  const print = (ms = 0) => `${ms.toFixed(0)} ms`.padStart(9);
  return `p50 ${print(sorted[Math.floor(sorted.length / 2)])}, max ${print(sorted.at(-1))}`;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
