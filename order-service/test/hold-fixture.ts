import { expect } from '@jest/globals';
import { createLogger } from '@quicksale/shared/log';
import { connectMongo, type Mongo } from '@quicksale/shared/mongo';
import {
  applyFact,
  createMongoOrderStore,
  createOrderIndexes,
  type Order,
  type OrderStore,
} from '@quicksale/shared/orders';
import { connectRedis, type RedisServers } from '@quicksale/shared/redis';
import {
  createRedisStockLedger,
  ledgerKeys,
  type HoldRecord,
  type LedgerEntry,
  type LedgerKeys,
  type ReserveRequest,
  type SaleSettings,
  type StockLedger,
} from '@quicksale/shared/stock-ledger';
import { newId, testNamespace } from '@quicksale/shared/testing';
import type { OutgoingEvent } from '@quicksale/shared/contracts';
import { expireHolds, type ExpireHoldsDeps } from '../src/expiry/expire-holds.ts';
import { recordHolds } from '../src/intake/record-holds.ts';
import { cancelOrder, type CancelOrderResult } from '../src/orders/cancel-order.ts';
import type { ChangeOrderDeps } from '../src/orders/change-order.ts';
import { createUnitReleaser, createUnitReturn } from '../src/outbox/release-units.ts';
import { createUnitShipper } from '../src/outbox/ship-units.ts';

/** What the ledger takes at a time. */
const mostOrdersPerCall = 128;

export interface HeldSale {
  saleId: string;
  productId: string;
}

export interface HoldFixture {
  namespace: string;
  mongo: Mongo;
  orders: OrderStore;
  ledger: StockLedger;
  servers: RedisServers;
  keys: LedgerKeys;
  /** What the expiry works with; nothing runs by itself here. */
  deps: ExpireHoldsDeps;
  /** What `changeOrder` works with. */
  changes: ChangeOrderDeps;
  published: OutgoingEvent[];
  /** How late units came back, as the metric was told. */
  returned: number[];
  givenSale(stock: number, settings?: Partial<SaleSettings>): Promise<HeldSale>;
  /** All of what follows from passed deadlines, as the sweep does it. */
  expire(entries: readonly LedgerEntry[]): Promise<void>;
  /** Holds of one sale, a buyer each; not recorded yet. */
  reserve(
    sale: HeldSale,
    count: number,
    wish?: Partial<ReserveRequest> & { quantity?: number },
  ): Promise<HoldRecord[]>;
  /** Holds that have their orders in MongoDB. */
  place(sale: HeldSale, count: number, quantity?: number): Promise<HoldRecord[]>;
  cancel(
    record: HoldRecord,
    wish?: { key?: string; quantity?: number },
  ): Promise<CancelOrderResult['status']>;
  /** The buyer's money comes in, and then the hold loses its deadline, unless the payer dies first. */
  pay(saleId: string, orderId: string, wish?: { settles: boolean }): Promise<'paid' | 'refused'>;
  read(orderId: string): Promise<Order>;
  /** Asserts that ledger and documents of a sale agree to the unit; answers the counters. */
  books(sale: HeldSale): Promise<{ available: number; held: number; orders: Order[] }>;
  stop(): Promise<void>;
}

/** Real stores in a namespace of their own, and the use cases on them without any service. */
export async function openHolds(name: string): Promise<HoldFixture> {
  const namespace = testNamespace(name);
  const log = createLogger({ service: 'test', level: 'silent' });
  const mongo = connectMongo({ url: process.env.MONGO_URL ?? '', namespace, log });
  const url = process.env.REDIS_LEDGER_URL ?? '';
  const redis = connectRedis({ url, name: 'ledger', log });
  await Promise.all([mongo.start(), redis.start()]);
  await createOrderIndexes(mongo);
  const keys = ledgerKeys(namespace, 16);
  for (let shard = 0; shard < keys.shards; shard += 1)
    await redis.client.set(keys.admitted(shard), redis.runId());
  const ledger = createRedisStockLedger({ connection: redis, keys });
  const orders = createMongoOrderStore(mongo);
  const published: OutgoingEvent[] = [];
  const returned: number[] = [];
  const sending: Promise<void>[] = [];
  const deps: ExpireHoldsDeps = {
    ledger,
    orders,
    recorder: {
      record: async (hold) => {
        const [outcome] = await recordHolds({ orders, ledger, log }, [hold]);
        return outcome ?? { kind: 'not-recorded' };
      },
    },
    returnUnits: createUnitReturn({ ledger, log }),
    relay: {
      send: (events, sent) => {
        published.push(...events);
        if (sent) sending.push(sent());
      },
    },
    clock: { now: () => Date.now() },
    metrics: { noteReturned: (lateMs) => void returned.push(lateMs) },
    log,
  };

  const { returnUnits } = deps;
  const changes: ChangeOrderDeps = {
    ...{ orders, ledger, relay: deps.relay },
    releaseUnits: createUnitReleaser({ returnUnits, orders, log }),
    // No order here moves units to another sale.
    shipUnits: createUnitShipper({
      ledger,
      orders,
      log,
      arrivals: { arrive: async () => undefined },
    }),
    repay: async () => undefined,
  };

  const read = async (orderId: string) => {
    const [order] = await orders.findByIds([orderId]);
    if (!order) throw new Error(`no order ${orderId}`);
    return order;
  };

  const reserve: HoldFixture['reserve'] = async (sale, count, { quantity = 1, ...wish } = {}) => {
    const requests = Array.from({ length: count }, (): ReserveRequest => {
      const digest = newId().padEnd(64, '0');
      const items = [{ productId: sale.productId, quantity }];
      const facts = {
        orderNumber: `ORD-2026-${newId()}`,
        saleId: sale.saleId,
        merchantId: sale.saleId,
        currency: 'USD',
        items: items.map((item) => ({ ...item, sku: 'LAMP', name: 'Lamp' })),
        key: 'k',
        digest,
        fingerprint: 'f'.repeat(64),
      };
      return {
        orderId: newId(),
        userId: newId(),
        kind: 'order',
        digest,
        fingerprint: facts.fingerprint,
        items,
        facts: JSON.stringify(facts),
        ...wish,
      };
    });
    const replies = await ledger.reserve(sale.saleId, requests);
    return replies.map((reply) => {
      if (reply.status !== 'reserved') throw new Error(reply.status);
      return reply.record;
    });
  };

  return {
    namespace,
    mongo,
    orders,
    ledger,
    servers: redis,
    keys,
    deps,
    changes,
    published,
    returned,
    reserve,
    read,
    expire: async (entries) => (await expireHolds(deps, entries))(),
    givenSale: async (stock, settings = {}) => {
      const [saleId, productId] = [newId(), newId()];
      await ledger.putSale(
        {
          saleId,
          settingsVersion: 1,
          state: 'live',
          // Timed, so that the buyers' counts are kept.
          opensAtMs: 1,
          closesAtMs: 0,
          perBuyerLimit: 0,
          holdMs: 1,
          durability: 'safe',
          products: [{ productId, price: 4999, away: false }],
          ...settings,
        },
        true,
      );
      await ledger.raise(saleId, productId, stock);
      return { saleId, productId };
    },
    place: async (sale, count, quantity = 1) => {
      const records: HoldRecord[] = [];
      while (records.length < count) {
        const wanted = Math.min(count - records.length, mostOrdersPerCall);
        const placed = await reserve(sale, wanted, { quantity });
        const holds = placed.map((record) => ({ saleId: sale.saleId, record }));
        for (const outcome of await recordHolds({ orders, ledger, log }, holds))
          expect(outcome.kind).toBe('recorded');
        await ledger.strikeOff(
          sale.saleId,
          placed.map(({ orderId }) => orderId),
        );
        records.push(...placed);
      }
      return records;
    },
    cancel: async (record, { key = newId(), quantity } = {}) => {
      const productId = Object.keys(record.units)[0] ?? '';
      const result = await cancelOrder(
        {
          ...{ ...deps, ...changes, orders, early: { complete: async () => false } },
        },
        {
          userId: record.userId,
          orderId: record.orderId,
          digest: key,
          fingerprint: String(quantity),
          ...(quantity && { units: [{ productId, quantity }] }),
        },
      );
      return result.status;
    },
    pay: async (saleId, orderId, { settles } = { settles: true }) => {
      for (;;) {
        const order = await read(orderId);
        const fact = { type: 'pay', cause: 'payment', by: order.userId, at: new Date() } as const;
        const outcome = applyFact(order, fact);
        if (outcome.kind !== 'changed') return outcome.kind === 'already' ? 'paid' : 'refused';
        const { matched } = await orders.applyChanges([{ id: orderId, change: outcome.change }]);
        if (matched === 0) continue;
        if (settles) await ledger.settle(saleId, [orderId]);
        return 'paid';
      }
    },
    books: async ({ saleId, productId }) => {
      await Promise.all(sending);
      const snapshot = await ledger.snapshot(saleId);
      if (typeof snapshot === 'string') throw new Error(snapshot);
      const line = snapshot.products[productId];
      if (!line) throw new Error('no such product');
      const inRecords = snapshot.records.flatMap((record) =>
        (record.units[productId] ?? []).map((n) => `${saleId}:${productId}:${n}`),
      );
      expect(line.available + inRecords.length + line.gone).toBe(line.last);
      const withDeadline = snapshot.records.filter(({ expiresAt }) => expiresAt > 0);
      expect(line.held).toBe(
        withDeadline.reduce((sum, { units }) => sum + (units[productId]?.length ?? 0), 0),
      );
      const free = await redis.client.zrange(keys.free(saleId, productId), 0, '-1');
      // A number that came back is free exactly once and in no record.
      expect(free.length + (line.last - line.next + 1)).toBe(line.available);
      expect(inRecords.filter((name) => free.includes(name.split(':')[2] ?? ''))).toEqual([]);
      const found = await mongo.db().collection('orders').find({ saleId }).toArray();
      const documents = await orders.findByIds(found.map(({ _id }) => String(_id)));
      const [sold, live] = [true, false].map((isSold) =>
        documents
          .filter(({ inventoryStatus }) => (inventoryStatus === 'SOLD') === isSold)
          .flatMap(({ units }) => units ?? [])
          .sort(),
      );
      expect(live).toEqual([...inRecords].sort());
      expect(line.gone).toBe(sold?.length);
      expect(sold?.filter((name) => free.includes(name.split(':')[2] ?? ''))).toEqual([]);
      const counted = await redis.client.hgetall(keys.sale(saleId).buyers);
      for (const order of documents) {
        expect(order).not.toHaveProperty('releasing');
        expect(order).not.toHaveProperty('shipping');
        if (order.units) expect(order.units.length).toBeGreaterThan(0);
        expect(Number(counted[order.userId])).toBe(order.units?.length ?? 0);
        const versions = order.history.map(({ version }) => version);
        expect(versions).toEqual(versions.map((_, index) => index + 1));
        expect(order.version).toBe(versions.length);
      }
      return { available: line.available, held: line.held, orders: documents };
    },
    stop: async () => {
      await Promise.all(sending);
      await Promise.all([mongo.stop(), redis.stop()]);
    },
  };
}
