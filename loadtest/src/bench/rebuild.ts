import { createHash, randomBytes } from 'node:crypto';
import { createMongoOrderStore, orderFromHold, type OrderFacts } from '@quicksale/shared/orders';
import type { HoldRecord } from '@quicksale/shared/stock-ledger';
import type { RunningStack } from './running-stack.ts';

type Say = (line: string) => void;
interface Sale {
  saleId: string;
  productId: string;
}
interface Rebuilt {
  orders: number;
  records: number;
  keys: number;
  elapsedMs: number;
}

const insertsAtATime = 500;

/**
 * Measures how long a sale with many orders stands still when its ledger is written anew. The orders
 * are made straight in MongoDB; the sale is one that the ledger has never known, as after the loss of
 * everything.
 */
export async function measureRebuild(stack: RunningStack, count: number, say: Say): Promise<void> {
  say(`${stack.machine}; each order one unit, one product, one sale (one shard of the ledger)`);
  const sale = await makeLostSale(stack, count);
  const madeAt = performance.now();
  await insertOrders(stack, sale, count);
  say(`${count} orders written in ${Math.round(performance.now() - madeAt)} ms (not measured)`);
  const askedAt = performance.now();
  const rebuilt = await rebuild(stack, sale);
  const tookMs = Math.round(performance.now() - askedAt);
  say(
    `rebuild of ${rebuilt.orders} orders  ${rebuilt.elapsedMs} ms (asked to answered ${tookMs} ms)`,
  );
  await audit(stack, sale, { count, rebuilt }, say);
}

/** A sale of twice as many units as there are orders. It is never marked ready: no runner comes. */
async function makeLostSale({ mongo }: RunningStack, count: number): Promise<Sale> {
  const sale = { saleId: newId(), productId: newId() };
  const at = new Date();
  const { saleId, productId } = sale;
  await mongo
    .db()
    .collection<{ _id: string }>('sales')
    .insertOne({
      _id: saleId,
      ...{ kind: 'timed', merchantId: newId(), name: 'Benchmark', currency: 'USD', revision: 1 },
      ...{ opensAt: at, closesAt: new Date(at.getTime() + 3_600_000), perBuyerLimit: 1, holdMs: 0 },
      ...{ durability: 'safe', stage: 'ready', settingsVersion: 1, putVersion: 1 },
      items: [
        {
          ...{ productId, sku: 'BENCH', name: 'Benchmark product', price: 4_999 },
          ...{ stock: 2 * count, allotted: 2 * count, rounds: 1 },
        },
      ],
      ...{ createdAt: at, updatedAt: at },
    } as { _id: string });
  await mongo
    .db()
    .collection<{ _id: string }>('stock-movements')
    .insertOne({
      _id: `${saleId}:bench`,
      ...{
        saleId,
        productId,
        firstUnit: 1,
        lastUnit: 2 * count,
        reason: 'initial',
        by: 'bench',
        at,
      },
    });
  return sale;
}

async function insertOrders(stack: RunningStack, sale: Sale, count: number): Promise<void> {
  const orders = createMongoOrderStore(stack.mongo);
  for (let from = 1; from <= count; from += insertsAtATime) {
    const size = Math.min(insertsAtATime, count - from + 1);
    const fresh = Array.from({ length: size }, (_, index) => {
      const {
        outbox: _outbox,
        outboxAt: _at,
        ...order
      } = orderFromHold(holdOf(sale, from + index), sale.saleId);
      return { ...order, status: 'CONFIRMED', inventoryStatus: 'RESERVED' } as const;
    });
    const outcomes = await orders.insertMany(fresh);
    if (outcomes.some(({ kind }) => kind !== 'inserted')) throw new Error('an order got not in');
  }
}

function holdOf({ saleId, productId }: Sale, unit: number): HoldRecord {
  const orderId = newId();
  const digest = createHash('sha256').update(orderId).digest('hex');
  const facts: OrderFacts = {
    ...{ orderNumber: `BENCH-${orderId}`, saleId, currency: 'USD', key: 'bench' },
    items: [{ productId, sku: 'BENCH', name: 'Benchmark product', quantity: 1 }],
    ...{ digest, fingerprint: digest },
  };
  return {
    ...{ orderId, kind: 'order', userId: newId(), epoch: 1, at: Date.now(), expiresAt: 0 },
    units: { [productId]: [unit] },
    prices: { [productId]: 4_999 },
    facts: JSON.stringify(facts),
  };
}

async function rebuild({ inventoryAdmin }: RunningStack, { saleId }: Sale): Promise<Rebuilt> {
  const answer = await fetch(new URL(`/internal/sales/${saleId}/rebuild`, inventoryAdmin.url), {
    method: 'POST',
    headers: { 'x-internal-key': inventoryAdmin.internalKey },
  });
  const body: unknown = await answer.json();
  if (!answer.ok) throw new Error(`inventory-service says ${JSON.stringify(body)}`);
  return body as Rebuilt;
}

/** A figure counts only when the books of its sale are right. */
async function audit(
  stack: RunningStack,
  { saleId, productId }: Sale,
  { count, rebuilt }: { count: number; rebuilt: Rebuilt },
  say: Say,
): Promise<void> {
  const snapshot = await stack.ledger.snapshot(saleId);
  if (typeof snapshot === 'string') throw new Error(`the ledger says ${snapshot}`);
  const { last = 0, available = 0, gone = 0 } = snapshot.products[productId] ?? {};
  const units = new Set(snapshot.records.flatMap((record) => record.units[productId] ?? []));
  const isRight =
    !snapshot.fenced &&
    available + units.size + gone === last &&
    units.size === count &&
    snapshot.records.length === count &&
    rebuilt.keys === count;
  say(
    `audit: available ${available} + held ${units.size} + gone ${gone} = last ${last}; ` +
      `records ${snapshot.records.length}, keys ${rebuilt.keys}: ${isRight ? 'ok' : 'WRONG'}`,
  );
  if (!isRight) process.exitCode = 1;
}

const newId = () => randomBytes(12).toString('hex');
