import { createHash, randomBytes } from 'node:crypto';
import {
  applyFact,
  createMongoOrderStore,
  orderFromHold,
  type OrderFacts,
  type OrderStore,
} from '@quicksale/shared/orders';
import type { HoldRecord, ReserveRequest } from '@quicksale/shared/stock-ledger';
import { quantiles } from './quantiles.ts';
import type { RunningStack } from './running-stack.ts';

type Say = (line: string) => void;
interface Sale {
  saleId: string;
  productId: string;
}

/** Within what reserve.lua takes. */
const holdsPerCall = 125;
const patienceMs = 120_000;
const pollMs = 5;
/** Records that one look at the ledger asks for. */
const readsPerCall = 500;

/**
 * Measures how soon the units of unpaid holds can be sold again after their deadline: of holds that
 * end one after another, and of many that end together. The holds are made straight in the ledger
 * and in MongoDB, as intake and kafka-processor leave them; so nothing of them is measured.
 */
export async function measureExpiry(
  stack: RunningStack,
  options: { spread: number; spreadMs: number; together: number },
  say: Say,
): Promise<void> {
  const orders = createMongoOrderStore(stack.mongo);
  say(`${stack.machine}; each hold one unit, one product, one sale (one shard of the ledger)`);
  say(`deadlines and times by the clock of this machine; looked at every ${pollMs} ms`);
  await measureSpread(stack, orders, options, say);
  await measureTogether(stack, orders, options.together, say);
}

async function measureSpread(
  stack: RunningStack,
  orders: OrderStore,
  { spread, spreadMs }: { spread: number; spreadMs: number },
  say: Say,
): Promise<void> {
  const sale = await makeSale(stack, spread, spreadMs + 5_000);
  const records: HoldRecord[] = [];
  const startedAt = performance.now();
  const recording: Promise<void>[] = [];
  const perStep = Math.max(1, Math.round((spread * 50) / spreadMs));
  while (records.length < spread) {
    const made = await reserve(stack, sale, Math.min(perStep, spread - records.length));
    records.push(...made);
    recording.push(record(orders, sale, made));
    const next = startedAt + (records.length / spread) * spreadMs;
    await sleep(Math.max(0, next - performance.now()));
  }
  await Promise.all(recording);
  const lateMs = await watch(stack, sale, records);
  say(`${spread} holds, deadlines spread over ${spreadMs / 1_000} s`);
  say(quantiles('deadline to sellable again', lateMs));
  await audit(stack, sale, spread, say);
}

async function measureTogether(
  stack: RunningStack,
  orders: OrderStore,
  count: number,
  say: Say,
): Promise<void> {
  const sale = await makeSale(stack, count, 45_000);
  const records: HoldRecord[] = [];
  while (records.length < count) {
    const calls = Array.from({ length: 4 }, (_, call) =>
      Math.min(holdsPerCall, count - records.length - call * holdsPerCall),
    ).filter((size) => size > 0);
    records.push(...(await Promise.all(calls.map((size) => reserve(stack, sale, size)))).flat());
  }
  const deadlines = records.map(({ expiresAt }) => expiresAt);
  const [first, last] = [Math.min(...deadlines), Math.max(...deadlines)];
  for (let from = 0; from < count; from += 500)
    await record(orders, sale, records.slice(from, from + 500));
  const spareMs = first - Date.now();
  if (spareMs < 0)
    throw new Error(
      `recording took ${-spareMs} ms longer than the holds last: the machine is too busy`,
    );
  await sleep(spareMs);
  const backAt = await untilAllBack(stack, sale, count);
  say(`${count} holds that end within ${last - first} ms`);
  say(`first deadline until all are sellable again  ${backAt - first} ms`);
  say(`last deadline until all are sellable again   ${backAt - last} ms`);
  await audit(stack, sale, count, say);
}

async function makeSale(stack: RunningStack, stock: number, holdMs: number): Promise<Sale> {
  const sale = { saleId: newId(), productId: newId() };
  const answer = await stack.ledger.putSale(
    {
      saleId: sale.saleId,
      settingsVersion: 1,
      state: 'live',
      opensAtMs: 1,
      closesAtMs: 0,
      perBuyerLimit: 1,
      holdMs,
      durability: 'safe',
      products: [{ productId: sale.productId, price: 4_999, away: false }],
    },
    true,
  );
  if (answer !== 'put') throw new Error(`the ledger says ${answer}`);
  await stack.ledger.raise(sale.saleId, sale.productId, stock);
  return sale;
}

async function reserve(stack: RunningStack, sale: Sale, count: number): Promise<HoldRecord[]> {
  const items = [{ productId: sale.productId, quantity: 1 }];
  const requests = Array.from({ length: count }, (): ReserveRequest => {
    const orderId = newId();
    const digest = createHash('sha256').update(orderId).digest('hex');
    const facts: OrderFacts = {
      orderNumber: `BENCH-${orderId}`,
      saleId: sale.saleId,
      currency: 'USD',
      items: items.map((item) => ({ ...item, sku: 'BENCH', name: 'Benchmark product' })),
      key: 'bench',
      digest,
      fingerprint: digest,
    };
    return {
      orderId,
      userId: newId(),
      kind: 'order',
      digest,
      fingerprint: digest,
      facts: JSON.stringify(facts),
      items,
    };
  });
  const replies = await stack.ledger.reserve(sale.saleId, requests);
  const records = replies.map((reply) => {
    if (reply.status !== 'reserved') throw new Error(`the ledger says ${reply.status}`);
    return reply.record;
  });
  // Else the service's sweep would write these orders as well, which is work that nobody asked for.
  await stack.ledger.strikeOff(
    sale.saleId,
    records.map(({ orderId }) => orderId),
  );
  return records;
}

/** Their orders in MongoDB, waiting for payment. */
async function record(
  orders: OrderStore,
  { saleId }: Sale,
  records: readonly HoldRecord[],
): Promise<void> {
  const fresh = records.map((one) => orderFromHold(one, saleId));
  const inserted = await orders.insertMany(fresh);
  if (inserted.some(({ kind }) => kind !== 'inserted')) throw new Error('an order got not in');
  await orders.applyChanges(
    fresh.map((order) => {
      const outcome = applyFact(order, {
        type: 'inventory-result',
        cause: `${order.id}:result`,
        outboxId: `${order.id}:1`,
        outcome: 'RESERVED',
        paymentRequired: true,
        at: new Date(),
      });
      if (outcome.kind !== 'changed') throw new Error(outcome.kind);
      return { id: order.id, change: outcome.change };
    }),
  );
}

/** How late each hold's unit came back. */
async function watch(
  stack: RunningStack,
  { saleId }: Sale,
  records: readonly HoldRecord[],
): Promise<number[]> {
  const lateMs: number[] = [];
  let open = [...records].sort((a, b) => a.expiresAt - b.expiresAt);
  const limit = Math.max(...records.map(({ expiresAt }) => expiresAt)) + patienceMs;
  while (open.length > 0) {
    if (Date.now() > limit) throw new Error(`${open.length} holds did not end`);
    const now = Date.now();
    const due = open.filter(({ expiresAt }) => expiresAt <= now).slice(0, readsPerCall);
    if (due.length > 0) {
      const held = await stack.ledger.readHolds(
        saleId,
        due.map(({ orderId }) => orderId),
      );
      if (typeof held === 'string') throw new Error(`the ledger says ${held}`);
      const seenAt = Date.now();
      const back = new Set(due.filter((_, index) => !held.records[index]));
      for (const { expiresAt } of back) lateMs.push(seenAt - expiresAt);
      open = open.filter((one) => !back.has(one));
    }
    await sleep(pollMs);
  }
  return lateMs;
}

async function untilAllBack(stack: RunningStack, sale: Sale, count: number): Promise<number> {
  const limit = Date.now() + patienceMs;
  for (;;) {
    const [shown] = await stack.ledger.shownStock([sale]);
    if (shown?.available === count) return Date.now();
    if (Date.now() > limit) throw new Error(`only ${shown?.available} of ${count} are back`);
    await sleep(pollMs);
  }
}

/** A figure counts only when the books of its sale are right. */
async function audit(stack: RunningStack, sale: Sale, count: number, say: Say): Promise<void> {
  const snapshot = await stack.ledger.snapshot(sale.saleId);
  if (typeof snapshot === 'string') throw new Error(`the ledger says ${snapshot}`);
  const line = snapshot.products[sale.productId];
  const inRecords = snapshot.records.flatMap(({ units }) => units[sale.productId] ?? []).length;
  const { last = 0, available = 0, gone = 0, held = 0 } = line ?? {};
  const orders = stack.mongo.db().collection('orders');
  const expired = await orders.countDocuments({ saleId: sale.saleId, status: 'EXPIRED' });
  const isRight =
    available + inRecords + gone === last && held === 0 && available === count && expired === count;
  say(
    `audit: available ${available} + held ${inRecords} + gone ${gone} = last ${last}; ` +
      `orders EXPIRED ${expired}: ${isRight ? 'ok' : 'WRONG'}`,
  );
  if (!isRight) process.exitCode = 1;
}

const newId = () => randomBytes(12).toString('hex');
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
