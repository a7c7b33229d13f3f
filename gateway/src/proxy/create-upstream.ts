import { Agent, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Request, RequestHandler, Response } from 'express';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { unavailable, type AppError } from '@quicksale/shared/errors';
import { sendProblem } from '@quicksale/shared/http';
import { createBulkhead } from '@quicksale/shared/limits';
import type { Logger } from '@quicksale/shared/log';
import { dropHopHeaders } from './clean-headers.ts';
import { createBreaker, type Attempt } from './create-breaker.ts';

/** Shorter than the 75 s that services keep an idle connection: the opener closes it. */
const idleConnectionMs = 30_000;

export interface UpstreamOptions {
  name: string;
  url: string;
  log: Logger;
  /** Longest time to an answer's head, and within an answer that does not stream. */
  timeoutMs: number;
  /** Requests at the upstream at the same time; a slow one must not take the whole gateway. */
  concurrent: number;
  /** Requests that may wait for that. */
  waiting: number;
  /** Answers stay open for minutes. */
  streams: boolean;
  /** Told whenever the upstream begins or ceases to be left alone because it does not answer. */
  onBreaker: (isOpen: boolean) => void;
}

export interface Upstream {
  /** Passes a request on. Its headers must be clean, its body whole and not yet read. */
  forward: RequestHandler;
  close(): void;
}

/** Ways in which a connection fails; anything else is no reason to leave a service alone. */
const connectionFailures = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** A service behind the gateway. Refused, reset and timed out are answered 503. */
export function createUpstream(options: UpstreamOptions): Upstream {
  const { name, log, timeoutMs, concurrent, waiting } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: concurrent, timeout: idleConnectionMs });
  const bulkhead = createBulkhead({ concurrent, waiting, waitLimitMs: timeoutMs });
  const breaker = createBreaker({ name, log, onChange: options.onBreaker });
  const attempts = new WeakMap<object, Attempt>();

  function fail(req: Request, res: Response, error: AppError): void {
    if (res.writableEnded || res.destroyed) return;
    if (error.kind === 'unavailable')
      log.warn({ upstream: name, err: error.cause ?? error }, 'upstream did not answer');
    // Half an answer cannot be taken back; the client sees that it is not whole.
    if (res.headersSent) res.destroy();
    else sendProblem(req, res, error);
  }

  const proxy = createProxyMiddleware<Request, Response>({
    target: options.url,
    // A fixed Host: what the client calls us is none of the services' business.
    changeOrigin: true,
    agent,
    ...(!options.streams && { proxyTimeout: timeoutMs }),
    on: {
      proxyReq: (proxyReq) => limitWait(proxyReq, timeoutMs),
      proxyRes: (proxyRes, req, res) => {
        attempts.get(req)?.end();
        dropHopHeaders(proxyRes.headers);
        proxyRes.headers.connection = res.shouldKeepAlive ? 'keep-alive' : 'close';
        cutOffNonReader(proxyRes, res, timeoutMs);
      },
      error: (error, req, res) => {
        const { code = '' } = error as NodeJS.ErrnoException;
        if (connectionFailures.has(code)) attempts.get(req)?.fail(error);
        // Only upgrades have a bare socket here, and they go another way.
        if ('setHeader' in res) fail(req, res, unavailable(`${name} did not answer`, error));
      },
    },
  });

  return {
    forward: async (req, res) => {
      breaker.refuseWhileOpen();
      const leave = await bulkhead.enter();
      res.once('close', leave);
      // The client may have gone while its request waited, and the upstream as well.
      if (res.destroyed) return leave();
      const attempt = breaker.begin();
      attempts.set(req, attempt);
      res.once('close', () => attempt.end());
      await proxy(req, res, (error) => {
        if (error) fail(req, res, unavailable(`${name} did not answer`, error));
      });
    },
    close: () => {
      breaker.close();
      agent.destroy();
    },
  };
}

/** From here to the answer's head, connecting included; an idle time would restart with each byte. */
function limitWait(proxyReq: ClientRequest, timeoutMs: number): void {
  const timer = setTimeout(() => {
    proxyReq.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }));
  }, timeoutMs);
  const stop = () => clearTimeout(timer);
  proxyReq.once('response', stop).once('close', stop);
}

/** Who does not read what was asked for would keep a place at the service, in a stream for ever. */
function cutOffNonReader(proxyRes: IncomingMessage, res: Response, limitMs: number): void {
  let timer: NodeJS.Timeout | undefined;
  const stop = () => clearTimeout(timer);
  // The answer is held back while the client has not taken what was sent before.
  proxyRes.on('pause', () => {
    stop();
    timer = setTimeout(() => res.destroy(), limitMs);
  });
  res.on('drain', stop).once('close', stop);
}
