import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { AppError, type ErrorCode } from '../errors/index.ts';
import { toProblem } from './problem.ts';

/** How long the head of a request may be. */
export interface HeadLimits {
  bytes: number;
  fields: number;
}

/** What the gateway takes from outside. */
export const publicHeadLimits: HeadLimits = { bytes: 8 * 1024, fields: 64 };

/**
 * What a service takes: a little more, since the gateway adds fields of its own. A head that only the
 * service refuses would look like a service that resets connections.
 */
const serviceHeadLimits: HeadLimits = {
  bytes: publicHeadLimits.bytes + 1024,
  fields: publicHeadLimits.fields + 8,
};

/** How long a connection that was refused may take to read why. */
const farewellMs = 1_000;

/**
 * A node server with this project's limits. `keepAliveTimeout` is longer than the idle time of the
 * gateway's agents: whoever opened a connection closes it, else a request meets a closed socket.
 */
export function createHttpServer(
  app: RequestListener,
  headLimits: HeadLimits = serviceHeadLimits,
): Server {
  const server = createServer(
    {
      // Any other upgrade may be ignored: HTTP/2 is offered by many clients that can do without.
      shouldUpgradeCallback: (req) => req.headers.upgrade?.toLowerCase() === 'websocket',
      headersTimeout: 5_000,
      requestTimeout: 10_000,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: 75_000,
      maxHeaderSize: headLimits.bytes,
      // More than the largest body: whether it has arrived whole can be known without reading it.
      highWaterMark: 64 * 1024,
    },
    app,
  );
  // One more is refused (431), never left out: what is left out may have said where the body ends.
  server.maxHeadersCount = headLimits.fields;
  server.on('clientError', answerClientError);
  return server;
}

/**
 * Answers what never became a request. One that did not come in time has had no effect: it may be
 * sent again, also when it was this process that was too busy to read it.
 */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const problem = toProblem(new AppError(codeOf(error)), '', '');
  const body = JSON.stringify(problem);
  const retry = problem.code === 'request-timeout' ? 'Retry-After: 1\r\n' : '';
  endSocket(
    socket,
    `HTTP/1.1 ${problem.status} ${problem.title}\r\nConnection: close\r\n${retry}` +
      'Content-Type: application/problem+json; charset=utf-8\r\nCache-Control: no-store\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function codeOf({ code }: NodeJS.ErrnoException): ErrorCode {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'request-timeout';
    case 'HPE_HEADER_OVERFLOW':
      return 'headers-too-large';
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return 'payload-too-large';
    default:
      return 'malformed-request';
  }
}

/** Says a last thing and closes, also when the other side never does. */
export function endSocket(socket: Duplex, lastWords: string): void {
  socket.end(lastWords);
  // Destroyed at once, a socket with unread input resets, and the answer may be lost with that.
  const timer = setTimeout(() => socket.destroy(), farewellMs);
  socket.once('close', () => clearTimeout(timer));
}

/** Starts listening; port 0 takes a free one. Resolves to the port. */
export function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, backlog: 4096 }, () => {
      server.removeListener('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Takes no new connection, lets requests end (at most `graceMs`), then closes what is left. */
export async function closeServer(server: Server, graceMs = 10_000): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // A kept-alive connection becomes idle only after its answer: look again until all are gone.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const deadline = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(deadline);
}
