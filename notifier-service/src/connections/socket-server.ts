import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import type { Principal, VerifyAccessToken } from '@quicksale/shared/auth';
import { toAppError } from '@quicksale/shared/errors';
import { addressKey } from '@quicksale/shared/limits';
import type { Logger } from '@quicksale/shared/log';
import type { Clock, Part } from '@quicksale/shared/process';
import { drainConnections, type ConnectionRegistry } from './connection-registry.ts';
import { createConnection, type Connection, type ConnectionLimits } from './connection.ts';
import { closeCodes, parseClientFrame, type CloseCode } from './frame.ts';
import { readUpgrade, type UpgradePolicy } from './upgrade-request.ts';

export interface SocketServerOptions {
  registry: ConnectionRegistry;
  policy: UpgradePolicy;
  verifyAccessToken: VerifyAccessToken;
  clock: Clock;
  log: Logger;
  limits?: ConnectionLimits;
  /** Says where a new connection stands. */
  welcome: (connection: Connection) => Promise<void>;
  resume: (connection: Connection, lastSeq: number) => Promise<void>;
}

export interface SocketServer extends Part {
  upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

const largestFrameBytes = 1024;

/**
 * WebSockets of clients. A client whose token is not good is let in and sent away with 4401: a page
 * never learns the status of a refused upgrade, but it does see a close code. A foreign page is
 * refused with 403 before that.
 */
export function createSocketServer(options: SocketServerOptions): SocketServer {
  const { registry, clock, log } = options;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: largestFrameBytes,
    perMessageDeflate: false,
    // Known to ws 8.23, not yet to its types.
    ...{ closeTimeout: 2_000 },
  });
  let draining = false;
  let ticks: NodeJS.Timeout | undefined;

  function upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Until ws has taken over, a reset would end the process.
    const onEarlyError = () => socket.destroy();
    socket.on('error', onEarlyError);
    const decision = readUpgrade(req, options.policy);
    if (draining) return refuse(socket, 503);
    if (decision.kind === 'refused') return refuse(socket, decision.status);
    const address = addressKey(decision.ip);
    const entered = registry.enter(address);
    if (entered) leaveOnClose(socket, registry, address);
    void identify(entered, decision.token).then((identity) => {
      if (socket.destroyed) return;
      server.handleUpgrade(req, socket, head, (client) => {
        socket.off('error', onEarlyError);
        client.on('error', leaveToWs);
        if ('code' in identity) client.close(identity.code, identity.reason);
        else accept(client, identity);
      });
    });
  }

  async function identify(
    entered: boolean,
    token: string | undefined,
  ): Promise<Principal | { code: CloseCode; reason: string }> {
    if (!entered) return { code: closeCodes.tooMany, reason: 'too many connections' };
    if (token === undefined) return { code: closeCodes.unauthenticated, reason: 'unauthenticated' };
    try {
      return await options.verifyAccessToken(token);
    } catch (error) {
      const { kind, code } = toAppError(error);
      if (kind === 'unauthenticated') return { code: closeCodes.unauthenticated, reason: code };
      if (kind !== 'unavailable') log.error({ err: error }, 'a token could not be verified');
      return { code: closeCodes.tryLater, reason: code };
    }
  }

  function accept(client: WebSocket, principal: Principal): void {
    const connection = createConnection({
      userId: principal.userId,
      expiresAtMs: principal.expiresAtMs,
      socket: client,
      clock,
      ...(options.limits && { limits: options.limits }),
    });
    if (draining) return connection.close(closeCodes.restart, 'the server restarts');
    if (!registry.add(connection)) return client.close(closeCodes.tooMany, 'too many connections');
    let resuming = false;
    client.on('close', () => registry.remove(connection));
    client.on('pong', connection.alive);
    client.on('ping', connection.received);
    client.on('message', (data, isBinary) => {
      connection.received();
      if (connection.isOpen()) void answer(data, isBinary);
    });

    async function answer(data: RawData, isBinary: boolean): Promise<void> {
      const frame = isBinary ? undefined : parseClientFrame((data as Buffer).toString());
      if (!frame) return connection.strike();
      switch (frame.type) {
        case 'ping':
          return connection.pong();
        case 'subscribe':
          return connection.error('unsupported');
        case 'resume':
          if (resuming) return connection.error('resume-in-progress');
          resuming = true;
          await options.resume(connection, frame.lastSeq).catch(report);
          resuming = false;
      }
    }

    options.welcome(connection).catch(report);
  }

  function report(error: unknown): void {
    const { kind } = toAppError(error);
    log[kind === 'unavailable' ? 'warn' : 'error']({ err: error }, 'a client was not served');
  }

  return {
    name: 'sockets',
    upgrade,
    start: async () => {
      ticks = setInterval(() => {
        for (const connection of registry.all()) connection.tick();
      }, 1_000);
    },
    stop: async () => {
      draining = true;
      await drainConnections(registry, {
        slice: 500,
        pauseMs: 100,
        spreadMs: 5_000,
        graceMs: 2_500,
        random: Math.random,
        sleep,
      });
      clearInterval(ticks);
    },
  };
}

// Listeners made inside `upgrade` would keep the request, token included, as long as the socket.

/** A frame that breaks the protocol: ws closes by itself (1002, 1007, 1009). */
function leaveToWs(): void {}

function leaveOnClose(socket: Duplex, registry: ConnectionRegistry, address: string): void {
  socket.once('close', () => registry.leave(address));
}

function refuse(socket: Duplex, status: 403 | 404 | 503): void {
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    () => socket.destroy(),
  );
}
