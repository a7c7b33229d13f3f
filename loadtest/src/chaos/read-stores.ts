import { Redis } from 'ioredis';
import { mongo as driver } from 'mongoose';
import { openKafka, readTopic } from './raw-topic.ts';
import type {
  LedgerProduct,
  LedgerRecord,
  LedgerSale,
  LedgerState,
  StatusEvent,
  StoreState,
} from './checker/store-state.ts';
import type { ChaosSystem } from './system.ts';

/** Plain connections to the stores, past all links and services. */
export interface Stores {
  /** What is still to be done, in words; empty when the shop is at rest. */
  openWork(): Promise<string[]>;
  read(): Promise<StoreState>;
  close(): Promise<void>;
}

export async function openStores(system: ChaosSystem): Promise<Stores> {
  const client = new driver.MongoClient(system.urls.MONGO_URL, {
    serverSelectionTimeoutMS: 3_000,
    socketTimeoutMS: 60_000,
    retryReads: true,
  });
  const redis = new Redis(system.urls.REDIS_LEDGER_URL, { maxRetriesPerRequest: 3 });
  redis.on('error', () => undefined);
  const db = client.db(`quicksale_${system.namespace}`);
  const prefix = `${system.namespace}:`;
  const shardKeys = (name: string) =>
    Array.from({ length: system.shards }, (_, shard) => `${prefix}ql:{${shard}}:${name}`);

  const all = async <T>(name: string): Promise<T[]> => {
    const documents = await db.collection(name).find({}).toArray();
    // By way of JSON: dates become text, as they are in the file.
    return documents.map(({ _id, ...rest }) => plain({ id: String(_id), ...rest }) as T);
  };

  async function openWork(): Promise<string[]> {
    const orders = db.collection('orders');
    const count = (filter: object) => orders.countDocuments(filter);
    const [pending, waiting, outbox, marks, payments] = await Promise.all([
      count({ status: 'PENDING' }),
      count({ status: 'AWAITING_PAYMENT' }),
      // Its time alone is no work: it stays until the scan has looked.
      count({ 'outbox.0': { $exists: true } }),
      count({
        $or: [
          { releasing: { $exists: true } },
          { shipping: { $exists: true } },
          { repaying: true },
        ],
      }),
      db.collection('payments').countDocuments({ checkAt: { $exists: true } }),
    ]);
    const [unrecorded, due] = await Promise.all(
      ['unrecorded', 'due'].map(async (name) => {
        const sizes = await Promise.all(shardKeys(name).map((key) => redis.zcard(key)));
        return sizes.reduce((sum, size) => sum + size, 0);
      }),
    );
    const sales = await redis.keys(`${prefix}ql:{*}:sale:*`);
    const fences = await Promise.all(sales.map((key) => redis.hget(key, 'fenced')));
    const fenced = fences.filter((fence) => fence === '1').length;
    const ready = await db.collection('sales').countDocuments({ ledgerReady: true });
    const told = await db.collection('notifications').countDocuments({});
    const [steps] = await orders
      .aggregate<{ sum: number }>([
        { $match: { kind: 'order' } },
        { $group: { _id: null, sum: { $sum: { $subtract: ['$version', 1] } } } },
      ])
      .toArray();
    const open = {
      'orders PENDING': pending,
      'orders AWAITING_PAYMENT': waiting,
      'orders with an outbox': outbox,
      'orders with marks': marks,
      'payments to be looked at': payments,
      'unrecorded holds': unrecorded,
      'holds with a deadline': due,
      'fenced sales': fenced,
      'sales that the ledger does not know': Math.max(0, ready - sales.length),
      'steps without a notification': Math.max(0, (steps?.sum ?? 0) - told),
    };
    return Object.entries(open).flatMap(([what, left]) => (left ? [`${left} ${what}`] : []));
  }

  async function readLedger(): Promise<LedgerState> {
    const sales: Record<string, LedgerSale> = {};
    for (const key of await redis.keys(`${prefix}ql:{*}:sale:*`)) {
      const [, shard = '', saleId = ''] = /ql:\{(\d+)\}:sale:(.*)$/.exec(key) ?? [];
      sales[saleId] = await readSale(shard, saleId);
    }
    const due: Record<string, number> = {};
    for (const key of shardKeys('due')) {
      const flat = await redis.zrange(key, '0', '-1', 'WITHSCORES');
      for (let at = 0; at < flat.length; at += 2) due[flat[at] ?? ''] = Number(flat[at + 1]);
    }
    const marks = await Promise.all(
      shardKeys('unrecorded').map((key) => redis.zrange(key, '0', '-1')),
    );
    return { sales, due, unrecorded: marks.flat() };
  }

  async function readSale(shard: string, saleId: string): Promise<LedgerSale> {
    const key = (name: string) => `${prefix}ql:{${shard}}:${name}:${saleId}`;
    const [settings, stock, buyers, holds] = await Promise.all(
      ['sale', 'stock', 'buyers', 'holds'].map((name) => redis.hgetall(key(name))),
    );
    const products: Record<string, LedgerProduct> = {};
    for (const field of Object.keys(stock ?? {}).filter((name) => name.endsWith(':last'))) {
      const productId = field.slice(0, -':last'.length);
      const of = (name: string) => Number(stock?.[`${productId}:${name}`] ?? 0);
      const free = await redis.zrange(`${key('free')}:${productId}`, '0', '-1');
      products[productId] = {
        ...{ last: of('last'), next: of('next'), available: of('available') },
        ...{ held: of('held'), gone: of('gone'), free: free.map(Number) },
      };
    }
    const records = Object.entries(holds ?? {}).map(([orderId, stored]): LedgerRecord => {
      const header = JSON.parse(stored.slice(0, stored.indexOf('\n'))) as LedgerRecord;
      const { kind, userId, expiresAt, units } = header;
      return { orderId, kind, userId, expiresAt, units };
    });
    const counts = Object.entries(buyers ?? {}).map(([user, units]) => [user, Number(units)]);
    return {
      settings: settings ?? {},
      products,
      buyers: Object.fromEntries(counts) as Record<string, number>,
      records,
    };
  }

  async function readStatusEvents(): Promise<StatusEvent[]> {
    const kafka = openKafka(system.urls.KAFKA_BROKERS);
    const events = await readTopic(kafka, `${system.namespace}.order.status`);
    return events.map(({ headers, value }) => ({
      id: String(headers?.ce_id),
      data: JSON.parse(String(value)) as StatusEvent['data'],
    }));
  }

  return {
    openWork,
    read: async () => ({
      orders: await all('orders'),
      movements: await all('stock-movements'),
      sales: await all('sales'),
      notifications: await all('notifications'),
      payments: await all('payments'),
      simulatedPayments: await all('simulated-payments'),
      ledger: await readLedger(),
      statusEvents: await readStatusEvents(),
      readAtWall: Date.now(),
    }),
    close: async () => {
      redis.disconnect();
      await client.close();
    },
  };
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
