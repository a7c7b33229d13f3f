import type { mongo as driver } from 'mongoose';
import { createMemoryBus, type MemoryBus } from '@quicksale/shared/bus';
import { loadConfig } from '@quicksale/shared/config';
import type { OutgoingEvent, Role } from '@quicksale/shared/contracts';
import { AppError } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import { connectMongo, type Mongo } from '@quicksale/shared/mongo';
import {
  connectRedisServers,
  type RedisConnection,
  type RedisServers,
} from '@quicksale/shared/redis';
import {
  createRedisStockLedger,
  ledgerKeys,
  type LedgerKeys,
  type SaleSettings,
  type StockLedger,
} from '@quicksale/shared/stock-ledger';
import { newId, testNamespace } from '@quicksale/shared/testing';
import supertest from 'supertest';
import { config as configTable } from '../src/config.ts';
import type { HouseOrderRequest } from '../src/house-orders/house-order-request.ts';
import { buildService, type Overrides } from '../src/service.ts';

/** A token is `<kind>-<user id>`. */
const rolesOfTokens: Readonly<Record<string, Role>> = {
  user: 'CUSTOMER',
  merchant: 'MERCHANT',
  support: 'SUPPORT',
  admin: 'ADMIN',
};

const internalKey = 'an internal key of a test';

/** What a client of one order-service can do. */
export interface OrderClient {
  /** Of the server that the service itself listens on. */
  port(): number;
  request: ReturnType<typeof supertest>;
  place(order: {
    userId: string;
    key: string;
    productId: string;
    quantity?: number;
  }): supertest.Test;
  cancel(order: { userId: string; orderId: string; key: string; body?: object }): supertest.Test;
  read(order: { userId: string; orderId: string }): supertest.Test;
}

export interface Twin extends OrderClient {
  placeForHouse: OrderFixture['placeForHouse'];
  stop(): Promise<void>;
}

export interface OrderFixture extends OrderClient {
  namespace: string;
  /** Another order-service on the same stores, in this process too; with other settings if need be. */
  startTwin(overrides?: Readonly<Record<string, string>>, parts?: Overrides): Promise<Twin>;
  bus: MemoryBus;
  /** Every event that the services have published. */
  published: OutgoingEvent[];
  /** Every line that they have logged, down to the finest level. */
  lines: string[];
  mongo: Mongo;
  servers: RedisServers;
  /** To the ledger's server; on a cluster to the master that has shard 0. */
  redis: RedisConnection;
  /** inventory-service's part: says that the ledger's servers are good. */
  admit(): Promise<void>;
  keys: LedgerKeys;
  ledger: StockLedger;
  /** A product with this stock in a sale of its own: a standing one, unless the settings say else. */
  givenProduct(
    stock: number,
    settings?: Partial<SaleSettings>,
  ): Promise<{ productId: string; saleId: string }>;
  /** A product as order-service finds it in the catalogue. */
  givenCatalogueEntry(product: {
    productId: string;
    saleId: string;
    archived?: boolean;
  }): Promise<void>;
  /** Settings of a sale in the ledger; what is not given is that of a standing sale. */
  putSale(settings: Partial<SaleSettings> & { saleId: string }): Promise<void>;
  /** Asks for an order of the house on the admin port. */
  placeForHouse(order: HouseOrderRequest, key?: string): supertest.Test;
  /** What inventory-service asks for before it writes the ledger of a sale anew. */
  recordSale(saleId: string): supertest.Test;
  orders(saleId: string): Promise<driver.WithId<driver.Document>[]>;
  /** What keeps it from being ready, by part; nothing when it is. */
  unready(): Promise<Record<string, string>>;
  /** What a scraper reads. */
  metrics(): Promise<string>;
  /** Ends the service and leaves the stores to look into. */
  stopService(): Promise<void>;
  stop(): Promise<void>;
}

/** The service on real stores in a namespace of its own; the bus is in memory. */
export async function startOrders(
  overrides: Readonly<Record<string, string>> = {},
  parts: Overrides = {},
): Promise<OrderFixture> {
  const namespace = testNamespace('intake');
  const configOf = (more: Readonly<Record<string, string>> = {}) =>
    loadConfig(configTable, {
      ...process.env,
      NAMESPACE: namespace,
      ORDER_SERVICE_PORT: '0',
      ORDER_SERVICE_ADMIN_PORT: '0',
      INTERNAL_KEY: internalKey,
      ...overrides,
      ...more,
    });
  const config = configOf();
  const lines: string[] = [];
  const log = createLogger(
    { service: 'order-service', level: 'trace' },
    { write: (line) => void lines.push(line) },
  );
  const bus = createMemoryBus({ log });
  const published: OutgoingEvent[] = [];
  const publish = (events: readonly OutgoingEvent[]) => {
    published.push(...events);
    return bus.publish(events);
  };
  const part = { name: 'bus', start: async () => undefined, stop: async () => undefined };
  const build = (settings = config, moreParts: Overrides = {}) =>
    buildService(settings, log, {
      ...parts,
      ...moreParts,
      bus: { ...bus, ...part, publish },
      verifyAccessToken: async (token) => {
        const [, kind = '', userId] = /^([a-z]+)-([0-9a-f]{24})$/.exec(token) ?? [];
        const role = rolesOfTokens[kind];
        if (!userId || !role) throw new AppError('unauthenticated');
        return { userId, role, sessionId: 's', expiresAtMs: Number.MAX_SAFE_INTEGER };
      },
    });
  const service = build();
  const twins: ReturnType<typeof build>[] = [];
  const mongo = connectMongo({ url: config.mongoUrl, namespace, log });
  const servers = connectRedisServers({ url: config.ledgerUrl, name: 'ledger', log });
  await Promise.all([service.start(), mongo.start(), servers.start()]);
  const keys = ledgerKeys(namespace, config.ledgerShards);
  const ledger = createRedisStockLedger({ connection: servers, keys });
  const admit = async () => {
    for (let shard = 0; shard < keys.shards; shard += 1) {
      const { client, runId } = servers.serverOf(keys.admitted(shard));
      await client.set(keys.admitted(shard), runId());
    }
  };
  await admit();
  const givenCatalogueEntry: OrderFixture['givenCatalogueEntry'] = async (product) => {
    const { productId, saleId, archived = false } = product;
    const products = mongo.db().collection<{ _id: unknown }>('products');
    await products.insertOne({
      _id: new mongo.connection.base.mongo.ObjectId(productId),
      saleId,
      saleChangedAt: new Date(0),
      merchantId: saleId,
      sku: 'LAMP',
      name: 'Lamp',
      currency: 'USD',
      archived,
    } as { _id: unknown });
  };
  const putSale: OrderFixture['putSale'] = async (settings) => {
    await ledger.putSale(
      {
        settingsVersion: 1,
        state: 'live',
        opensAtMs: 0,
        closesAtMs: 0,
        perBuyerLimit: 0,
        holdMs: 0,
        durability: 'safe',
        products: [],
        ...settings,
      },
      true,
    );
  };

  return {
    ...clientOf(service),
    namespace,
    startTwin: async (more, moreParts) => {
      const twin = build(configOf(more), moreParts);
      twins.push(twin);
      await twin.start();
      return { ...clientOf(twin), placeForHouse: houseOn(twin), stop: () => twin.stop() };
    },
    bus,
    published,
    lines,
    mongo,
    servers,
    redis: servers.serverOf(keys.shardCount),
    admit,
    keys,
    ledger,
    givenProduct: async (stock, settings) => {
      const [productId, saleId] = [newId(), newId()];
      await givenCatalogueEntry({ productId, saleId });
      await putSale({
        saleId,
        products: [{ productId, price: 4999, away: false }],
        ...settings,
      });
      await ledger.raise(saleId, productId, stock);
      return { productId, saleId };
    },
    givenCatalogueEntry,
    putSale,
    placeForHouse: houseOn(service),
    recordSale: (saleId) =>
      supertest(`http://127.0.0.1:${service.adminPort()}`)
        .post(`/internal/sales/${saleId}/record`)
        .set('x-internal-key', internalKey),
    orders: (saleId) => mongo.db().collection('orders').find({ saleId }).toArray(),
    unready: async () => {
      const answer = await fetch(`http://127.0.0.1:${service.adminPort()}/readyz?verbose`);
      return ((await answer.json()) as { problems: Record<string, string> }).problems;
    },
    metrics: async () => (await fetch(`http://127.0.0.1:${service.adminPort()}/metrics`)).text(),
    stopService: () => service.stop(),
    stop: async () => {
      await Promise.all([service, ...twins].map((one) => one.stop()));
      await Promise.all([mongo.stop(), servers.stop()]);
    },
  };
}

const houseOn =
  (service: ReturnType<typeof buildService>): OrderFixture['placeForHouse'] =>
  (order, key = internalKey) =>
    supertest(`http://127.0.0.1:${service.adminPort()}`)
      .post('/internal/house-orders')
      .set('x-internal-key', key)
      .send(order);

function clientOf(service: ReturnType<typeof buildService>): OrderClient {
  // The running server: given the app alone, supertest would open one more for each request.
  const request = supertest(`http://127.0.0.1:${service.port()}`);
  const asUser = (test: supertest.Test, userId: string) =>
    test.set('Authorization', `Bearer user-${userId}`);
  return {
    port: service.port,
    request,
    place: ({ userId, key, productId, quantity = 1 }) =>
      asUser(request.post('/api/orders'), userId)
        .set('Idempotency-Key', key)
        .send({ items: [{ productId, quantity }] }),
    cancel: ({ userId, orderId, key, body }) =>
      asUser(request.post(`/api/orders/${orderId}/cancel`), userId)
        .set('Idempotency-Key', key)
        .send(body),
    read: ({ userId, orderId }) => asUser(request.get(`/api/orders/${orderId}`), userId),
  };
}
