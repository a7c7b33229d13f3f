import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { AppError, unavailable } from '@quicksale/shared/errors';
import { endSocket, toProblem } from '@quicksale/shared/http';
import type { Logger } from '@quicksale/shared/log';
import type { Part } from '@quicksale/shared/process';
import { cleanHeaders } from '../proxy/clean-headers.ts';

const socketPath = '/ws';

export interface UpgradeGateOptions {
  target: string;
  /** Origins whose pages may connect; programs send none and may. */
  origins: readonly string[];
  trustProxyHops: number;
  timeoutMs: number;
  log: Logger;
}

export interface UpgradeGate extends Part {
  handle(req: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/**
 * WebSockets on their way to notifier-service. Express sees nothing of an upgrade, so all that its
 * middleware does is done here. The address may hold a token: it is never logged.
 */
export function createUpgradeGate(options: UpgradeGateOptions): UpgradeGate {
  const { log } = options;
  const origins = new Set(options.origins.map((origin) => origin.toLowerCase()));
  const open = new Set<Duplex>();
  let isStopping = false;

  const proxy = createProxyMiddleware({
    target: options.target,
    changeOrigin: true,
    upgradeTimeout: options.timeoutMs,
    on: {
      error: (error, req, socket) => {
        if ('setHeader' in socket || socket.bytesWritten > 0) return;
        const requestId = req.headers['x-request-id'];
        log.warn({ requestId, upstream: 'notifier', err: error }, 'upstream did not answer');
        refuse(req, socket, unavailable('notifier did not answer', error));
      },
    },
  });

  function judge(req: IncomingMessage): AppError | undefined {
    if (isStopping) return unavailable('The gateway is stopping');
    const isSocket = req.method === 'GET' && req.headers.upgrade?.toLowerCase() === 'websocket';
    if (!isSocket || req.url?.split('?', 1)[0] !== socketPath) return new AppError('not-found');
    // The notifier would see where it ends, or not, in bytes that are passed on as they are.
    if (req.headers['content-length'] !== undefined || req.headers['transfer-encoding'])
      return new AppError('malformed-request', { message: 'A handshake has no body' });
    const { origin } = req.headers;
    if (origin !== undefined && !origins.has(origin.toLowerCase()))
      return new AppError('forbidden', { message: 'Pages of this origin may not connect' });
    return undefined;
  }

  return {
    name: 'upgrades',
    start: () => Promise.resolve(),
    stop: () => {
      isStopping = true;
      for (const socket of open) socket.destroy();
      return Promise.resolve();
    },
    handle: (req, socket, head) => {
      // Without a listener a reset connection would end the process.
      socket.on('error', () => socket.destroy());
      const clientAddress = clientAddressOf(req, options.trustProxyHops);
      cleanHeaders(req.headers, { clientAddress, requestId: requestIdOf(req) }, ['upgrade']);
      const refusal = judge(req);
      if (refusal) return refuse(req, socket, refusal);
      req.headers.connection = 'Upgrade';
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      proxy.upgrade(req, socket as Socket, head);
    },
  };
}

function refuse(req: IncomingMessage, socket: Duplex, error: AppError): void {
  const requestId = String(req.headers['x-request-id']);
  const problem = toProblem(error, req.url?.split('?', 1)[0] ?? '', requestId);
  const body = JSON.stringify(problem);
  endSocket(
    socket,
    [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
      'Content-Type: application/problem+json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Request-Id: ${requestId}`,
      ...(error.kind === 'unavailable' ? ['Retry-After: 1'] : []),
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

const cleanRequestId = /^[A-Za-z0-9._-]{1,64}$/;

function requestIdOf(req: IncomingMessage): string {
  const given = req.headers['x-request-id'];
  return typeof given === 'string' && cleanRequestId.test(given) ? given : randomUUID();
}

/** As Express's `req.ip` with `trust proxy` set to that number of hops. */
function clientAddressOf(req: IncomingMessage, trustedHops: number): string {
  const forwarded = String(req.headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((address) => address.trim())
    .filter(Boolean);
  const nearestFirst = [req.socket.remoteAddress ?? '', ...forwarded.reverse()];
  return nearestFirst[Math.min(trustedHops, nearestFirst.length - 1)] ?? '';
}
