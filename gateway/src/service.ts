import cors from 'cors';
import type { Express, RequestHandler } from 'express';
import helmet from 'helmet';
import { Counter, Gauge, Histogram } from '@prometheus-io/client';
import { createTokenVerifier } from '@quicksale/shared/auth';
import { AppError } from '@quicksale/shared/errors';
import {
  bareApp,
  closeApp,
  healthHandler,
  maxBodyBytes,
  publicHeadLimits,
} from '@quicksale/shared/http';
import { connectLimitStore } from '@quicksale/shared/limits';
import type { Logger } from '@quicksale/shared/log';
import {
  composeService,
  createMetrics,
  httpPart,
  systemClock,
  type Clock,
  type Service,
} from '@quicksale/shared/process';
import manifest from '../package.json' with { type: 'json' };
import type { GatewayConfig } from './config.ts';
import { limitConnections } from './limits/limit-connections.ts';
import { localsOf, requestLimits } from './limits/request-limits.ts';
import { awaitBody } from './proxy/await-body.ts';
import { createPages } from './pages/pages.ts';
import { createServiceStates } from './pages/service-states.ts';
import { cleanHeaders } from './proxy/clean-headers.ts';
import { createUpstream, type Upstream, type UpstreamOptions } from './proxy/create-upstream.ts';
import { findDestination, type UpstreamName } from './proxy/routing-table.ts';
import { requestLog } from './request-log.ts';
import { createUpgradeGate } from './upgrade/upgrade-gate.ts';

export interface Gateway extends Service {
  app: Express;
  port(): number;
}

/** What pages of other origins may read of an answer. */
const exposedHeaders = [
  'ETag',
  'Idempotent-Replayed',
  'Link',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-Id',
];

/** The gateway: the one door to the services. */
export function buildService(
  config: GatewayConfig,
  log: Logger,
  overrides: { clock?: Clock; upstreamTimeoutMs?: number } = {},
): Gateway {
  const clock = overrides.clock ?? systemClock;
  const timeoutMs = overrides.upstreamTimeoutMs ?? 10_000;
  const metrics = createMetrics();
  const limitStore = connectLimitStore({ url: config.redisUrl, log });
  const openBreakers = new Gauge({
    name: 'quicksale_upstream_breaker_open',
    help: '1 while an upstream that does not answer is left alone',
    labelNames: ['upstream'] as const,
    registers: [metrics],
  });
  const upstreams = createUpstreams(config, log, timeoutMs, openBreakers);
  const durations = new Histogram({
    name: 'quicksale_http_request_duration_seconds',
    help: 'Time from a request to the end of its answer',
    labelNames: ['upstream', 'method', 'status'] as const,
    registers: [metrics],
  });
  const refusals = new Counter({
    name: 'quicksale_ratelimited_total',
    help: 'Requests refused by a rate limit',
    labelNames: ['policy'] as const,
    registers: [metrics],
  });

  const refusedConnections = new Counter({
    name: 'quicksale_connections_refused_total',
    help: 'Connections closed because there were too many',
    labelNames: ['limit'] as const,
    registers: [metrics],
  });

  const app = bareApp(config.trustProxyHops);
  app.use(requestLog(log, durations));
  app.use(helmet());
  app.use(cors({ origin: [...config.corsOrigins], exposedHeaders, maxAge: 600 }));
  app.get('/health', healthHandler('gateway', manifest.version));
  app.use(findRoute, limitBody, cleanRequest);
  app.use(
    ...requestLimits({
      config,
      store: limitStore,
      verify: createTokenVerifier({
        jwksUrl: config.jwksUrl,
        issuer: config.jwtIssuer,
        audience: config.jwtAudience,
        clock,
      }),
      refusals,
    }),
  );
  // No body parser anywhere: bodies pass through as they are.
  const pages = createPages({
    states: createServiceStates({
      clock,
      own: { name: 'gateway', version: manifest.version },
      services: [
        { name: 'auth-service', url: config.authServiceUrl },
        { name: 'inventory-service', url: config.inventoryServiceUrl },
        { name: 'order-service', url: config.orderServiceUrl },
        { name: 'notifier-service', url: config.notifierServiceUrl },
      ],
    }),
  });
  app.use(awaitBody, (req, res, next) => {
    const { upstream } = localsOf(res).destination;
    return upstream === 'pages'
      ? pages(req, res, next)
      : upstreams[upstream].forward(req, res, next);
  });
  closeApp(app, log);

  const upgrades = createUpgradeGate({
    target: config.notifierServiceUrl,
    origins: config.wsOrigins,
    trustProxyHops: config.trustProxyHops,
    timeoutMs,
    log,
  });
  const http = httpPart({
    app,
    port: config.port,
    host: config.host,
    headLimits: publicHeadLimits,
    upgrade: upgrades.handle,
  });
  limitConnections(http.server, {
    total: config.maxConnections,
    perAddress: config.trustProxyHops === 0 ? config.maxConnectionsPerAddress : undefined,
    onRefusal: (limit) => refusedConnections.inc({ limit }),
  });
  const connections = {
    name: 'upstreams',
    start: () => Promise.resolve(),
    stop: () => {
      for (const upstream of Object.values(upstreams)) upstream.close();
      return Promise.resolve();
    },
  };
  const service = composeService({
    log,
    host: config.host,
    adminPort: config.adminPort,
    internalKey: config.internalKey,
    // Upgraded sockets end first: the server would wait for them for ever.
    parts: [limitStore, connections, http, upgrades],
    metrics,
  });
  return { ...service, app, port: http.port };
}

function createUpstreams(
  config: GatewayConfig,
  log: Logger,
  timeoutMs: number,
  openBreakers: Gauge<'upstream'>,
): Readonly<Record<UpstreamName, Upstream>> {
  const create = (name: string, url: string, size: Partial<UpstreamOptions> = {}) =>
    createUpstream({
      name,
      url,
      log,
      timeoutMs,
      concurrent: 256,
      waiting: 4_096,
      streams: false,
      onBreaker: (isOpen) => openBreakers.set({ upstream: name }, isOpen ? 1 : 0),
      ...size,
    });
  return {
    auth: create('auth', config.authServiceUrl),
    inventory: create('inventory', config.inventoryServiceUrl),
    order: create('order', config.orderServiceUrl),
    notifier: create('notifier', config.notifierServiceUrl),
    streams: create('streams', config.notifierServiceUrl, {
      streams: true,
      concurrent: 10_000,
      waiting: 0,
    }),
  };
}

const findRoute: RequestHandler = (req, res, next) => {
  const destination = findDestination(req.method, req.originalUrl);
  if (!destination)
    throw new AppError('not-found', {
      message: `There is nothing at this address for ${req.method}`,
    });
  localsOf(res).destination = destination;
  next();
};

/** By the announced size; what is sent without one is measured when it is here. */
const limitBody: RequestHandler = (req, res, next) => {
  if (Number(req.headers['content-length'] ?? 0) > maxBodyBytes) {
    // The rest of the body is not worth reading.
    res.setHeader('Connection', 'close');
    throw new AppError('payload-too-large');
  }
  next();
};

const cleanRequest: RequestHandler = (req, res, next) => {
  // Node joins repeated headers on their way to the service, which could not tell them from one.
  if ((req.headersDistinct['idempotency-key']?.length ?? 0) > 1)
    throw new AppError('idempotency-key-invalid', { message: 'Send one Idempotency-Key' });
  // Read before it is replaced: with proxies in front it comes from X-Forwarded-For.
  const clientAddress = req.ip ?? '';
  cleanHeaders(req.headers, { clientAddress, requestId: localsOf(res).requestId });
  next();
};
