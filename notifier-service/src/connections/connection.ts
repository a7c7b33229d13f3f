import type { Clock } from '@quicksale/shared/process';
import type { Notification } from '../notifications/notification.ts';
import {
  closeCodes,
  toFrame,
  type CloseCode,
  type FrameErrorCode,
  type OpenOrder,
  type ServerFrame,
} from './frame.ts';

/** What a connection needs of a WebSocket. */
export interface ClientSocket {
  /** Bytes that were given to `send` and have not left yet. */
  readonly bufferedAmount: number;
  send(text: string, written: () => void): void;
  ping(): void;
  close(code: number, reason: string): void;
  terminate(): void;
}

export interface ConnectionLimits {
  pingIntervalMs: number;
  /** Above this only the newest frame per order is kept. */
  slowBytes: number;
  /** Above this the reader is given up. */
  stuckBytes: number;
  /** Frames and pings that a client may send in a second. */
  framesPerSecond: number;
}

export const defaultLimits: ConnectionLimits = {
  pingIntervalMs: 25_000,
  slowBytes: 64 * 1024,
  stuckBytes: 1024 * 1024,
  framesPerSecond: 20,
};

/** How long a closed socket may take to say goodbye. */
const closeGraceMs = 2_000;
const strikeLimit = 2;

/** One client, as the rest of the process sees it. */
export interface Connection {
  readonly userId: string;
  isOpen(): boolean;
  isWelcomed(): boolean;
  /** Highest sequence number that this client was told. */
  lastSeq(): number;
  welcome(summary: { lastSeq: number; unread: number }): void;
  /** A notification that is published now; waits while the past is being replayed. */
  push(notification: Notification): void;
  /** A notification of the past. */
  replay(notification: Notification): void;
  snapshot(seq: number, orders: readonly OpenOrder[]): void;
  /** Keeps live notifications back until `release`: first the past, then what came meanwhile. */
  hold(): void;
  release(): void;
  pong(): void;
  error(code: FrameErrorCode): void;
  draining(retryInMs: number): void;
  /** Counts something that the client sent. */
  received(): void;
  /** The client sent something that is no frame. */
  strike(): void;
  /** The client answered a ping. */
  alive(): void;
  close(code: CloseCode, reason: string): void;
  /** Called about every second: heartbeat, end of the session, end of the close grace. */
  tick(): void;
}

/**
 * Makes sure that the client sees the versions of an order only rise, and that a slow client costs
 * bounded memory. It has no timers of its own: 10,000 connections share one.
 */
export function createConnection(options: {
  userId: string;
  /** End of the session that the token speaks for. */
  expiresAtMs: number;
  socket: ClientSocket;
  clock: Clock;
  limits?: ConnectionLimits;
}): Connection {
  const { userId, socket, clock, limits = defaultLimits } = options;
  const versions = new Map<string, number>();
  const outgoing = createOutgoing(socket, limits, () =>
    close(closeCodes.tryLater, 'reading too slowly'),
  );
  let welcomed = false;
  let holds = 0;
  let held: Notification[] = [];
  let lastSeq = 0;
  let lastPingMs = clock.now();
  let awaitsPong = false;
  let closedAtMs: number | undefined;
  let receivedFrames = 0;
  let strikes = 0;

  const now = () => new Date(clock.now()).toISOString();

  function write(key: string, frame: ServerFrame): void {
    if (closedAtMs === undefined) outgoing.write(key, JSON.stringify(frame));
  }

  function deliver(notification: Notification): void {
    const { orderId, version } = notification.data;
    lastSeq = Math.max(lastSeq, notification.seq);
    if (version <= (versions.get(orderId) ?? 0)) return;
    versions.set(orderId, version);
    write(orderId, toFrame(notification));
  }

  function close(code: CloseCode, reason: string): void {
    if (closedAtMs !== undefined) return;
    closedAtMs = clock.now();
    outgoing.drop();
    socket.close(code, reason);
  }

  function heartbeat(nowMs: number): void {
    if (nowMs - lastPingMs < limits.pingIntervalMs) return;
    // Nobody is there to read a close frame.
    if (awaitsPong) return socket.terminate();
    lastPingMs = nowMs;
    awaitsPong = true;
    socket.ping();
  }

  return {
    userId,
    isOpen: () => closedAtMs === undefined,
    isWelcomed: () => welcomed,
    lastSeq: () => lastSeq,
    welcome: (summary) => {
      welcomed = true;
      lastSeq = Math.max(lastSeq, summary.lastSeq);
      write('welcome', { type: 'welcome', at: now(), data: { userId, ...summary } });
    },
    push: (notification) => {
      if (holds > 0) held.push(notification);
      else deliver(notification);
    },
    replay: deliver,
    snapshot: (seq, orders) => {
      lastSeq = Math.max(lastSeq, seq);
      for (const { orderId, version } of orders)
        versions.set(orderId, Math.max(version, versions.get(orderId) ?? 0));
      write('snapshot', { type: 'snapshot', seq, at: now(), data: { orders } });
    },
    hold: () => {
      holds += 1;
    },
    release: () => {
      holds -= 1;
      if (holds > 0) return;
      const waiting = held.sort((a, b) => a.seq - b.seq);
      held = [];
      waiting.forEach(deliver);
    },
    pong: () => write('pong', { type: 'pong', at: now(), data: {} }),
    error: (code) => write('error', { type: 'error', at: now(), data: { code } }),
    draining: (retryInMs) =>
      write('draining', { type: 'server.draining', at: now(), data: { retryInMs } }),
    received: () => {
      receivedFrames += 1;
      if (receivedFrames > limits.framesPerSecond) close(closeCodes.policy, 'too many frames');
    },
    strike: () => {
      strikes += 1;
      write('error', { type: 'error', at: now(), data: { code: 'invalid-frame' } });
      if (strikes >= strikeLimit) close(closeCodes.policy, 'invalid frames');
    },
    alive: () => {
      awaitsPong = false;
    },
    close,
    tick: () => {
      const nowMs = clock.now();
      receivedFrames = 0;
      if (closedAtMs !== undefined) {
        if (nowMs - closedAtMs >= closeGraceMs) socket.terminate();
        return;
      }
      if (nowMs >= options.expiresAtMs) close(closeCodes.unauthenticated, 'the token has expired');
      else heartbeat(nowMs);
    },
  };
}

/**
 * Frames on their way out. While the socket has more than `slowBytes` to write, only the newest
 * frame per key waits; with more than `stuckBytes` in all, `onStuck` ends it.
 */
function createOutgoing(socket: ClientSocket, limits: ConnectionLimits, onStuck: () => void) {
  const waiting = new Map<string, string>();
  let waitingBytes = 0;

  function take(key: string): string | undefined {
    const text = waiting.get(key);
    if (text === undefined) return undefined;
    waiting.delete(key);
    waitingBytes -= Buffer.byteLength(text);
    return text;
  }

  function flush(): void {
    for (const key of waiting.keys()) {
      if (socket.bufferedAmount > limits.slowBytes) return;
      const text = take(key);
      if (text !== undefined) socket.send(text, flush);
    }
  }

  return {
    write: (key: string, text: string) => {
      if (waiting.size === 0 && socket.bufferedAmount <= limits.slowBytes)
        return socket.send(text, flush);
      // To the end of the line: sequence numbers go out in rising order.
      take(key);
      waiting.set(key, text);
      waitingBytes += Buffer.byteLength(text);
      if (socket.bufferedAmount + waitingBytes > limits.stuckBytes) onStuck();
    },
    drop: () => {
      waiting.clear();
      waitingBytes = 0;
    },
  };
}
