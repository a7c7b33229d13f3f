import { setTimeout as sleep } from 'node:timers/promises';
import { Counter, Gauge } from '@prometheus-io/client';
import { createTokenVerifier, type VerifyAccessToken } from '@quicksale/shared/auth';
import { connectBus, type EventBus } from '@quicksale/shared/bus';
import { createApp } from '@quicksale/shared/http';
import type { Logger } from '@quicksale/shared/log';
import { connectMongo } from '@quicksale/shared/mongo';
import {
  composeService,
  createMetrics,
  httpPart,
  systemClock,
  type Clock,
  type Part,
  type Service,
} from '@quicksale/shared/process';
import { connectRedis } from '@quicksale/shared/redis';
import manifest from '../package.json' with { type: 'json' };
import type { NotifierServiceConfig } from './config.ts';
import { catchUp } from './connections/catch-up.ts';
import { createConnectionRegistry } from './connections/connection-registry.ts';
import { gather } from './connections/gather.ts';
import { createMongoOpenOrders } from './connections/mongo-open-orders.ts';
import { resumeConnection } from './connections/resume-connection.ts';
import { createSocketServer } from './connections/socket-server.ts';
import { welcomeConnection } from './connections/welcome-connection.ts';
import {
  createMongoNotificationStore,
  createNotificationIndexes,
} from './notifications/mongo-notification-store.ts';
import { orderStatusConsumer } from './notifications/order-status.consumer.ts';
import {
  createRedisNotificationChannel,
  createRedisNotificationSubscription,
} from './notifications/redis-notification-channel.ts';
import { createRedisSequenceCounters } from './notifications/redis-sequence-counters.ts';

export interface Overrides {
  verifyAccessToken?: VerifyAccessToken;
  bus?: EventBus & Part;
  clock?: Clock;
}

/** notifier-service: stores what users are told about their orders and pushes it to their sockets. */
export function buildService(
  config: NotifierServiceConfig,
  log: Logger,
  overrides: Overrides = {},
): Service & { port(): number } {
  const { namespace } = config;
  const clock = overrides.clock ?? systemClock;
  const metrics = createMetrics();
  const mongo = connectMongo({ url: config.mongoUrl, namespace, log, metrics });
  const redis = connectRedis({ url: config.redisUrl, name: 'work-redis', log });
  const bus =
    overrides.bus ??
    connectBus({ brokers: config.kafkaBrokers, clientId: 'notifier-service', namespace, log });
  const verifyAccessToken =
    overrides.verifyAccessToken ??
    createTokenVerifier({
      jwksUrl: config.jwksUrl,
      issuer: config.jwtIssuer,
      audience: config.jwtAudience,
      clock,
    });

  const store = createMongoNotificationStore(mongo);
  const registry = createConnectionRegistry({
    perUser: config.wsConnectionsPerUser,
    perIp: config.wsConnectionsPerIp,
  });
  const subscription = createRedisNotificationSubscription({
    redis,
    namespace,
    log,
    listener: {
      onNotifications: registry.push,
      onGap: () => {
        log.info({ connections: registry.size() }, 'reading what was missed');
        const wait = (error: unknown) => {
          log.warn({ err: error }, 'what was missed cannot be read yet');
          return sleep(500);
        };
        catchUp({ store, wait }, registry.all()).catch((error: unknown) =>
          log.error({ err: error }, 'catching up failed'),
        );
      },
    },
  });

  const summaryOf = gather(store.summaries, 200);
  const resumeDeps = { store, readOpenOrders: createMongoOpenOrders(mongo) };
  const sockets = createSocketServer({
    registry,
    policy: {
      origins: new Set(config.wsOrigins),
      queryToken: config.wsQueryToken,
      trustProxyHops: config.trustProxyHops,
    },
    verifyAccessToken,
    clock,
    log,
    welcome: (connection) => welcomeConnection({ summaryOf }, connection),
    resume: async (connection, lastSeq) => {
      if (!config.repairsOff.includes('resume'))
        await resumeConnection(resumeDeps, connection, lastSeq);
    },
  });

  const storedNotifications = new Counter({
    name: 'quicksale_notifications_stored_total',
    help: 'Notifications stored and published, redelivered ones included',
    registers: [metrics],
  });
  new Gauge({
    name: 'quicksale_sockets',
    help: 'Open WebSockets',
    registers: [metrics],
    collect() {
      this.set(registry.size());
    },
  });
  const consumer = orderStatusConsumer(
    bus,
    {
      store,
      counters: createRedisSequenceCounters({ redis, namespace }),
      channel: createRedisNotificationChannel({ redis, namespace }),
    },
    (count) => storedNotifications.inc(count),
  );

  const http = httpPart({
    app: createApp({
      service: 'notifier-service',
      version: manifest.version,
      log,
      trustProxyHops: config.trustProxyHops,
      routes: [],
      verifyAccessToken,
    }),
    port: config.port,
    host: config.host,
    upgrade: sockets.upgrade,
  });
  const indexes: Part = {
    name: 'indexes',
    start: () => createNotificationIndexes(mongo),
    stop: async () => undefined,
  };
  const service = composeService({
    log,
    host: config.host,
    adminPort: config.adminPort,
    internalKey: config.internalKey,
    metrics,
    // The sockets come last, so that clients are sent away before anything they need stops.
    parts: [mongo, indexes, redis, subscription, bus, consumer, http, sockets],
  });
  return { ...service, port: http.port };
}
