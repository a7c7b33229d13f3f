import { randomUUID } from 'node:crypto';
import { Counter } from '@prometheus-io/client';
import type { Express } from 'express';
import { createTokenVerifier, type VerifyAccessToken } from '@quicksale/shared/auth';
import { connectBus, type EventBus } from '@quicksale/shared/bus';
import { createApp } from '@quicksale/shared/http';
import type { Logger } from '@quicksale/shared/log';
import { connectMongo } from '@quicksale/shared/mongo';
import { createMongoOrderStore } from '@quicksale/shared/orders';
import {
  composeService,
  createMetrics,
  createSystemRandom,
  httpPart,
  repeat,
  systemClock,
  type Part,
  type Service,
} from '@quicksale/shared/process';
import { connectRedisServers } from '@quicksale/shared/redis';
import {
  checkShardCount,
  createRedisStockLedger,
  ledgerKeys,
} from '@quicksale/shared/stock-ledger';
import manifest from '../package.json' with { type: 'json' };
import { createAdmission } from './admission/admission.ts';
import { createMongoRecentOrders } from './admission/mongo-recent-orders.ts';
import { createRedisLedgerServer } from './admission/redis-ledger-server.ts';
import { createAuditMetrics } from './audit/audit-metrics.ts';
import { createAuditor } from './audit/auditor.ts';
import { repairs as allRepairs, type Repair } from './audit/drift.ts';
import { createMongoOrderBooks } from './audit/mongo-order-books.ts';
import { createMongoSaleHistory } from './audit/mongo-sale-history.ts';
import { createRedisLedgerBooks } from './audit/redis-ledger-books.ts';
import type { InventoryServiceConfig } from './config.ts';
import { createMongoConfirmationStore } from './holds/mongo-confirmation-store.ts';
import { orderCreatedConsumer } from './holds/order-created.consumer.ts';
import { finishPending } from './products/finish-product.ts';
import { createFreshListing } from './products/fresh-listing.ts';
import { createMongoProductStore, createProductIndexes } from './products/mongo-product-store.ts';
import { createMongoSaleStore } from './sales/mongo-sale-store.ts';
import {
  createMongoTimedSaleStore,
  createTimedSaleIndexes,
} from './sales/mongo-timed-sale-store.ts';
import { runSales } from './sales/run-sales.ts';
import { createHttpUnrecordedHolds } from './rebuild/http-unrecorded-holds.ts';
import { createMongoRebuildLeases } from './rebuild/mongo-rebuild-leases.ts';
import { createMongoSaleOrders } from './rebuild/mongo-sale-orders.ts';
import { createRebuildMetrics } from './rebuild/rebuild-metrics.ts';
import { rebuildRoutes } from './rebuild/rebuild.routes.ts';
import { publicRoutes } from './routes.ts';
import { createRebuildRunner } from './rebuild/run-rebuilds.ts';
import { followAllMovements, followRecentMovements } from './stock/follow-movements.ts';
import { createHttpHouseOrders } from './stock/http-house-orders.ts';
import { createMongoMovementStore, createMovementIndexes } from './stock/mongo-movement-store.ts';
import { arrivalRoutes } from './stock/stock.routes.ts';

export interface Overrides {
  verifyAccessToken?: VerifyAccessToken;
  bus?: EventBus & Part;
  /** How the auditor runs: which of its repairs are on (all), how long it rests; or that it does not. */
  audit?: { repairs?: readonly Repair[]; everyMs?: number; restMs?: number } | 'off';
}

/** inventory-service: products and their stock, upkeep of the ledger, the answer to new orders. */
export function buildService(
  config: InventoryServiceConfig,
  log: Logger,
  overrides: Overrides = {},
): Service & { app: Express; port(): number } {
  const clock = systemClock;
  const metrics = createMetrics();
  const mongo = connectMongo({ url: config.mongoUrl, namespace: config.namespace, log, metrics });
  const redis = connectRedisServers({
    url: config.ledgerUrl,
    name: 'ledger',
    log,
    silenceLimitMs: 5_000,
  });
  const bus =
    overrides.bus ??
    connectBus({
      brokers: config.kafkaBrokers,
      clientId: 'inventory-service',
      namespace: config.namespace,
      log,
    });
  const keys = ledgerKeys(config.namespace, config.ledgerShards);
  const ledger = createRedisStockLedger({
    connection: redis,
    keys,
    calls: new Counter({
      name: 'quicksale_ledger_calls_total',
      help: 'Script calls to the stock ledger',
      labelNames: ['script'],
      registers: [metrics],
    }),
  });
  const sales = createMongoSaleStore(mongo);
  const deps = {
    products: createMongoProductStore(mongo),
    sales,
    timedSales: createMongoTimedSaleStore(mongo),
    houseOrders: createHttpHouseOrders({
      url: config.orderAdminUrl,
      internalKey: config.internalKey,
    }),
    movements: createMongoMovementStore(mongo),
    ledger,
    clock,
    random: createSystemRandom(),
    log,
  };
  const rebuilds = {
    ...deps,
    leases: createMongoRebuildLeases({ mongo, clock, holder: randomUUID() }),
    saleOrders: createMongoSaleOrders(mongo),
    unrecordedHolds: createHttpUnrecordedHolds({
      url: config.orderAdminUrl,
      internalKey: config.internalKey,
    }),
    metrics: createRebuildMetrics(metrics),
  };
  const audit = overrides.audit === 'off' ? undefined : (overrides.audit ?? {});
  const books = {
    ledger: createRedisLedgerBooks(redis, keys),
    orders: createMongoOrderBooks(mongo, deps.movements),
    clock,
  };
  const app = createApp({
    service: 'inventory-service',
    version: manifest.version,
    log,
    trustProxyHops: config.trustProxyHops,
    verifyAccessToken:
      overrides.verifyAccessToken ??
      createTokenVerifier({
        jwksUrl: config.jwksUrl,
        issuer: config.jwtIssuer,
        audience: config.jwtAudience,
        clock,
      }),
    routes: publicRoutes({
      ...deps,
      listing: createFreshListing({ products: deps.products, clock }),
      currency: config.currency,
      books,
      history: createMongoSaleHistory(mongo),
      confirmations: createMongoConfirmationStore(mongo),
    }),
  });
  const http = httpPart({ app, port: config.port, host: config.host });

  const service = composeService({
    log,
    metrics,
    repairsOff: config.repairsOff,
    host: config.host,
    adminPort: config.adminPort,
    internalKey: config.internalKey,
    internalRoutes: [...arrivalRoutes(deps), ...rebuildRoutes(rebuilds)],
    parts: [
      mongo,
      redis,
      {
        name: 'indexes',
        start: async () => {
          await checkShardCount(redis, keys);
          await createProductIndexes(mongo);
          await createMovementIndexes(mongo);
          await createTimedSaleIndexes(mongo);
        },
        stop: async () => undefined,
      },
      // Before the bus: orders are taken while Kafka is away, but not before the ledger is admitted.
      createAdmission({
        connection: redis,
        server: createRedisLedgerServer(redis, keys),
        sales,
        recentOrders: createMongoRecentOrders(mongo),
        clock,
        log,
      }),
      repeat({
        name: 'rebuilds',
        repair: 'rebuild',
        everyMs: 500,
        log,
        work: createRebuildRunner(rebuilds),
      }),
      repeat({
        name: 'product runner',
        repair: 'movement-runner',
        everyMs: 2_000,
        log,
        work: async () => {
          await finishPending(deps);
          await followRecentMovements(deps);
        },
      }),
      repeat({
        name: 'sale runner',
        repair: 'sale-runner',
        everyMs: 1_000,
        log,
        work: () => runSales(deps),
      }),
      repeat({
        name: 'movement walk',
        repair: 'movement-runner',
        everyMs: 60_000,
        log,
        work: () => followAllMovements(deps),
      }),
      ...(audit
        ? [
            repeat({
              name: 'auditor',
              repair: 'auditor',
              everyMs: audit.everyMs ?? 250,
              log,
              work: createAuditor({
                ...books,
                sales,
                repair: { ledger, repairs: new Set(audit.repairs ?? allRepairs) },
                metrics: createAuditMetrics(metrics),
                log,
                ...(audit.restMs !== undefined && { restMs: audit.restMs }),
              }),
            }),
          ]
        : []),
      bus,
      bus.createConsumer(
        orderCreatedConsumer({ ledger, orders: createMongoOrderStore(mongo), bus, log }),
      ),
      http,
    ],
  });
  return { ...service, app, port: http.port };
}
