import type { RequestListener, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { collectDefaultMetrics, Registry } from '@prometheus-io/client';
import {
  closeServer,
  createAdminApp,
  createHttpServer,
  listen,
  type HeadLimits,
  type ReadinessCheck,
  type Route,
} from '../http/index.ts';
import type { Logger } from '../log/index.ts';
import type { Repair } from './repairs.ts';

/** Something a process starts and stops: a connection, a consumer, a timer, a server. */
export interface Part {
  name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Says what is wrong while the part cannot do its work. */
  check?: ReadinessCheck;
  /** Under this name a test may have the process run without it. */
  repair?: Repair;
}

export interface Service {
  /** Starts the parts in order; resolves when the process can serve. */
  start(): Promise<void>;
  /** Readiness false, then stops the parts in reverse order. */
  stop(): Promise<void>;
  /** Port of the admin server, known after start. */
  adminPort(): number;
}

export interface ServiceOptions {
  log: Logger;
  host: string;
  adminPort: number;
  internalKey: string;
  /** In order of start: connections first, then what uses them, the public server last. */
  parts: readonly Part[];
  metrics: Registry;
  repairsOff?: readonly Repair[];
  internalRoutes?: readonly Route[];
}

/** A process as one thing: its parts in order, and the admin port that tells how they are. */
export function composeService(options: ServiceOptions): Service {
  const { log, repairsOff = [] } = options;
  const parts = options.parts.filter(({ repair }) => !repair || !repairsOff.includes(repair));
  let started = false;
  const running: Part[] = [];
  const admin = createHttpServer(
    createAdminApp({
      log,
      internalKey: options.internalKey,
      metrics: options.metrics,
      started: () => started,
      checks: Object.fromEntries(
        parts.flatMap((part) => (part.check ? [[part.name, part.check] as const] : [])),
      ),
      ...(options.internalRoutes && { internalRoutes: options.internalRoutes }),
    }),
  );
  let boundAdminPort = 0;
  let stopping: Promise<void> | undefined;

  async function start(): Promise<void> {
    // First of all, so that probes are answered while a store is waited for.
    boundAdminPort = await listen(admin, options.adminPort, options.host);
    for (const part of parts) {
      if (stopping) return;
      running.push(part);
      await part.start();
    }
    started = true;
    log.info({ adminPort: boundAdminPort }, 'started');
  }

  async function stop(): Promise<void> {
    started = false;
    for (const part of running.reverse()) {
      await part.stop().catch((error: unknown) => {
        log.error({ err: error, part: part.name }, 'a part did not stop cleanly');
      });
    }
    await closeServer(admin, 500);
    log.info('stopped');
  }

  return {
    start,
    stop: () => (stopping ??= stop()),
    adminPort: () => boundAdminPort,
  };
}

/** A metrics registry with the process's own figures in it. */
export function createMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

export interface HttpPart extends Part {
  server: Server;
  /** The port in use, known after start. */
  port(): number;
}

/** The public server as a part. `upgrade` gets WebSocket upgrades; Express never sees them. */
export function httpPart(options: {
  app: RequestListener;
  port: number;
  host: string;
  headLimits?: HeadLimits;
  upgrade?: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
}): HttpPart {
  const server = createHttpServer(options.app, options.headLimits);
  if (options.upgrade) server.on('upgrade', options.upgrade);
  let bound = 0;
  return {
    name: 'http',
    server,
    port: () => bound,
    start: async () => {
      bound = await listen(server, options.port, options.host);
    },
    stop: () => closeServer(server),
  };
}
