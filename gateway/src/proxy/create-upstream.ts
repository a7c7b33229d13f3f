import { Agent, type ClientRequest } from 'node:http';
import type { Request, RequestHandler, Response } from 'express';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { AppError, unavailable } from '@quicksale/shared/errors';
import { maxBodyBytes, sendProblem } from '@quicksale/shared/http';
import { createBulkhead } from '@quicksale/shared/limits';
import type { Logger } from '@quicksale/shared/log';
import { dropHopHeaders } from './clean-headers.ts';

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
}

export interface Upstream {
  /** Passes a request on. Its headers must be clean; its body must not have been read. */
  forward: RequestHandler;
  close(): void;
}

/** A service behind the gateway. Refused, reset and timed out are answered 503. */
export function createUpstream(options: UpstreamOptions): Upstream {
  const { name, log, timeoutMs, concurrent, waiting } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: concurrent, timeout: idleConnectionMs });
  const bulkhead = createBulkhead({ concurrent, waiting, waitLimitMs: timeoutMs });

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
      proxyReq: (proxyReq, req, res) => {
        limitWait(proxyReq, timeoutMs);
        if (req.headers['content-length'] === undefined)
          cutOffBody(req, () => {
            req.unpipe(proxyReq);
            proxyReq.destroy();
            res.setHeader('Connection', 'close');
            fail(req, res, new AppError('payload-too-large'));
          });
      },
      proxyRes: (proxyRes, _req, res) => {
        dropHopHeaders(proxyRes.headers);
        proxyRes.headers.connection = res.shouldKeepAlive ? 'keep-alive' : 'close';
      },
      error: (error, req, res) => {
        // Only upgrades have a bare socket here, and they go another way.
        if ('setHeader' in res) fail(req, res, unavailable(`${name} did not answer`, error));
      },
    },
  });

  return {
    forward: async (req, res) => {
      const leave = await bulkhead.enter();
      res.once('close', leave);
      // The client may have gone while its request waited.
      if (res.destroyed) return leave();
      await proxy(req, res, (error) => {
        if (error) fail(req, res, unavailable(`${name} did not answer`, error));
      });
    },
    close: () => agent.destroy(),
  };
}

/** From here to the answer's head, connecting included; an idle time would restart with each byte. */
function limitWait(proxyReq: ClientRequest, timeoutMs: number): void {
  const timer = setTimeout(() => proxyReq.destroy(new Error('no answer in time')), timeoutMs);
  const stop = () => clearTimeout(timer);
  proxyReq.once('response', stop).once('close', stop);
}

/** Counts a body of unknown length while it passes; `onTooLarge` runs before the excess does. */
function cutOffBody(req: Request, onTooLarge: () => void): void {
  let bytes = 0;
  const count = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxBodyBytes) return;
    req.removeListener('data', count);
    onTooLarge();
  };
  // The proxy pipes the body in this same turn, so no chunk passes uncounted.
  req.on('data', count);
}
