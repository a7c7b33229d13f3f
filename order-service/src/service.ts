import { setImmediate as defer } from 'node:timers';
import { Counter } from '@prometheus-io/client';
import type { Express } from 'express';
import { createTokenVerifier, type VerifyAccessToken } from '@quicksale/shared/auth';
import { connectBus, type EventBus } from '@quicksale/shared/bus';
import { createMongoCatalogue } from '@quicksale/shared/catalogue';
import { inventoryResult, orderCreated } from '@quicksale/shared/contracts';
import { createApp } from '@quicksale/shared/http';
import {
  createAnswerIndexes,
  createAnswerOnce,
  createMongoAnswerStore,
} from '@quicksale/shared/idempotency';
import type { Logger } from '@quicksale/shared/log';
import { connectMongo } from '@quicksale/shared/mongo';
import {
  createMongoOrderStore,
  createOrderIndexes,
  orderCreatedEvent,
} from '@quicksale/shared/orders';
import {
  composeService,
  createMetrics,
  createSystemRandom,
  faultPoint,
  faultPointSoon,
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
import { createCheckoutIndexes, createMongoCheckoutPlans } from './cart/mongo-checkout-plans.ts';
import { createMongoCartStore } from './cart/mongo-cart-store.ts';
import type { OrderServiceConfig } from './config.ts';
import { createExpiryMetrics } from './expiry/expiry-metrics.ts';
import { createExpirySweep } from './expiry/sweep-due.ts';
import { houseOrderRoutes } from './house-orders/house-orders.routes.ts';
import { createEarlyAnswers } from './intake/early-answers.ts';
import { createGroupRecorder } from './intake/group-recorder.ts';
import { createMongoBlocks, createOrderNumbers } from './intake/order-numbers.ts';
import type { PlaceOrderResult } from './intake/place-order.ts';
import { recordHolds, type Hold } from './intake/record-holds.ts';
import { createMongoRefusals, createRefusalCounts } from './intake/refusal-counts.ts';
import { refusalError } from './intake/refusal.ts';
import { createReserveBatcher } from './intake/reserve-batcher.ts';
import { createUnrecordedSweep } from './intake/sweep-unrecorded.ts';
import { patientBus } from './outbox/patient-bus.ts';
import { createHttpStockArrivals } from './outbox/http-stock-arrivals.ts';
import { createRelay } from './outbox/relay.ts';
import { createUnitReleaser, createUnitReturn } from './outbox/release-units.ts';
import { scanOutbox } from './outbox/scan-outbox.ts';
import { createUnitShipper } from './outbox/ship-units.ts';
import { createStuckOrdersGauge } from './outbox/stuck-orders.ts';
import type { StockArrivals } from './outbox/stock-arrivals.ts';
import { buildPayments } from './payments/build-payments.ts';
import { buildPricing } from './pricing/build-pricing.ts';
import { createMongoSaleUnits } from './rebuild/mongo-sale-units.ts';
import { rebuildRoutes } from './rebuild/rebuild.routes.ts';
import { publicRoutes } from './routes.ts';

export interface Overrides {
  verifyAccessToken?: VerifyAccessToken;
  bus?: EventBus & Part;
  arrivals?: StockArrivals;
  /** How often it looks for uses of discounts that nobody has. */
  useSweepMs?: number;
}

/** order-service: takes orders, remembers them, tells Kafka, repairs what crashes left. */
export function buildService(
  config: OrderServiceConfig,
  log: Logger,
  overrides: Overrides = {},
): Service & { app: Express; port(): number } {
  const clock = systemClock;
  const random = createSystemRandom();
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
      clientId: 'order-service',
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
  const orders = createMongoOrderStore(mongo);
  createStuckOrdersGauge({ orders, clock, registry: metrics });
  const batcher = createReserveBatcher({
    ...{ ledger, defer },
    after: (delayMs, work) => void setTimeout(work, delayMs).unref(),
  });
  const relay = createRelay({ bus, log });
  const returnUnits = createUnitReturn({ ledger, log });
  const releaseUnits = createUnitReleaser({ returnUnits, orders, log });
  const shipUnits = createUnitShipper({
    ledger,
    orders,
    log,
    arrivals:
      overrides.arrivals ??
      createHttpStockArrivals({
        url: config.inventoryAdminUrl,
        internalKey: config.internalKey,
        log,
      }),
  });

  const payments = buildPayments({
    ...{ config, mongo, orders, ledger, relay, releaseUnits, shipUnits, clock, random, log },
    port: () => http.port(),
  });
  const { repay } = payments;

  /** Recording, and what follows from it: the mark is struck off, a buyer's order is announced. */
  async function recordAndAnnounce(holds: readonly Hold[]) {
    const outcomes = await recordHolds({ orders, ledger, log }, holds);
    const recorded = outcomes.filter((outcome) => outcome.kind === 'recorded');
    if (recorded.some(({ isNew }) => isNew)) faultPoint('after-insert');
    for (const { order } of recorded) batcher.noteRecorded(order.saleId, order.id);
    const announced = recorded.filter(({ order, isNew }) => isNew && order.kind === 'order');
    if (announced.length > 0 && faultPointSoon('after-answer', 500)) return outcomes;
    relay.send(
      announced.map(({ order }) => orderCreatedEvent(order)),
      async () => faultPoint('after-created-sent'),
    );
    return outcomes;
  }

  const recorder = createGroupRecorder({
    record: recordAndAnnounce,
    largestBatch: 200,
    mostUnits: 2_000,
    inFlightLimit: 2,
  });
  const early = createEarlyAnswers({ recorder, log });
  const refusals = createRefusalCounts(createMongoRefusals(mongo), log);
  const { useSweepMs } = overrides;
  const prices = buildPricing({ mongo, orders, ledger, clock, random, log, useSweepMs });
  const intake = {
    clock,
    random,
    pricing: prices.pricing,
    catalogue: createMongoCatalogue(mongo),
    orders,
    ledger: { ...ledger, reserve: batcher.reserve },
    recorder,
    early,
    numbers: createOrderNumbers(createMongoBlocks(mongo), clock),
    noteRefusal: (saleId: string, refusal: PlaceOrderResult) => {
      if (refusal.status !== 'created') refusals.note(saleId, refusalError(refusal).code);
    },
    log,
  };
  const app = createApp({
    service: 'order-service',
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
    answerOnce: createAnswerOnce({ store: createMongoAnswerStore(mongo), clock, random }),
    routes: publicRoutes({
      ...{ ...payments.routes, ...prices, ...intake },
      ...{ relay, releaseUnits, shipUnits, repay },
      ...{ carts: createMongoCartStore(mongo), plans: createMongoCheckoutPlans(mongo) },
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
    internalRoutes: [
      ...houseOrderRoutes({ ...intake, holds: ledger, shipUnits }),
      ...rebuildRoutes({
        ...{ ledger, orders, recorder, clock, log },
        readSaleUnits: createMongoSaleUnits(mongo),
      }),
    ],
    parts: [
      mongo,
      { name: 'indexes', start: () => createOrderIndexes(mongo), stop: async () => undefined },
      {
        name: 'answer indexes',
        start: () => createAnswerIndexes(mongo),
        stop: async () => undefined,
      },
      prices.indexes,
      {
        name: 'checkout indexes',
        start: () => createCheckoutIndexes(mongo),
        stop: async () => undefined,
      },
      redis,
      {
        name: 'shard count',
        start: () => checkShardCount(redis, keys),
        stop: async () => undefined,
      },
      patientBus(bus, log),
      {
        name: 'intake',
        start: async () => undefined,
        stop: async () => {
          await recorder.drain();
          await batcher.drain();
          await relay.drain();
          await refusals.flush();
        },
      },
      ...payments.parts,
      repeat({ name: 'refusal counts', everyMs: 1_000, log, work: () => refusals.flush() }),
      repeat({
        name: 'unrecorded sweep',
        repair: 'unrecorded-sweep',
        everyMs: 1_000,
        log,
        work: createUnrecordedSweep({ ledger, orders, recorder, log }),
      }),
      repeat({
        name: 'expiry',
        repair: 'expiry-sweep',
        everyMs: 500,
        log,
        work: createExpirySweep({
          ledger,
          orders,
          recorder,
          returnUnits,
          relay,
          clock,
          metrics: createExpiryMetrics(metrics),
          log,
        }),
      }),
      repeat({
        name: 'outbox scan',
        repair: 'outbox-scan',
        everyMs: 1_000,
        log,
        work: () =>
          scanOutbox({
            orders,
            bus,
            clock,
            log,
            releaseUnits,
            shipUnits,
            repay,
            backlog: async () =>
              (await bus.lag('quicksale.inventory-service', orderCreated)) +
              (await bus.lag('quicksale.kafka-processor', inventoryResult)),
          }),
      }),
      prices.sweep,
      http,
    ],
  });
  return { ...service, app, port: http.port };
}
