import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Notification } from '../notifications/notification.ts';
import { createConnection, type ClientSocket, type Connection } from './connection.ts';
import type { ServerFrame } from './frame.ts';

/** A socket whose reader reads when the test says so. */
function createSlowSocket() {
  const written: (() => void)[] = [];
  const socket = {
    bufferedAmount: 0,
    sent: [] as ServerFrame[],
    log: [] as string[],
    reads: true,
    send(text: string, done: () => void) {
      socket.sent.push(JSON.parse(text) as ServerFrame);
      if (socket.reads) return;
      socket.bufferedAmount += text.length;
      written.push(done);
    },
    ping: () => void socket.log.push('ping'),
    close: (code: number) => void socket.log.push(`close ${code}`),
    terminate: () => void socket.log.push('terminate'),
    /** Everything that was buffered is read. */
    drain() {
      socket.bufferedAmount = 0;
      for (const done of written.splice(0)) done();
    },
  };
  return socket satisfies ClientSocket;
}

const note = (order: string, version: number, seq: number): Notification => ({
  id: `${order}:${version}`,
  userId: 'u',
  seq,
  type: 'order.update',
  at: '2026-11-20T10:00:00.000Z',
  readAt: null,
  data: {
    orderId: order,
    orderNumber: 'ORD',
    status: 'CONFIRMED',
    inventoryStatus: 'RESERVED',
    paymentStatus: 'NONE',
    version,
    message: 'm'.repeat(100),
  },
});

describe('connection', () => {
  let nowMs: number;
  let socket: ReturnType<typeof createSlowSocket>;
  let connection: Connection;
  const pass = (ms: number) => {
    for (let left = ms; left > 0; left -= 1_000) {
      nowMs += 1_000;
      connection.tick();
    }
  };
  const sentSeqs = () =>
    socket.sent.flatMap((frame) => (frame.type === 'order.update' ? [frame.seq] : []));
  const create = (expiresInMs = 900_000) =>
    createConnection({
      userId: 'u',
      expiresAtMs: nowMs + expiresInMs,
      socket,
      clock: { now: () => nowMs },
      limits: { pingIntervalMs: 25_000, slowBytes: 1_000, stuckBytes: 5_000, framesPerSecond: 5 },
    });

  beforeEach(() => {
    nowMs = 1_000_000;
    socket = createSlowSocket();
    connection = create();
  });

  it('never sends a version of an order that is not above the last one', () => {
    connection.push(note('a', 3, 1));
    connection.push(note('a', 2, 2));
    connection.push(note('a', 3, 1));
    connection.push(note('b', 2, 3));
    connection.push(note('a', 4, 4));
    expect(sentSeqs()).toEqual([1, 3, 4]);
    expect(connection.lastSeq()).toBe(4);
  });

  it('sends what was held after the replay, in order', () => {
    connection.hold();
    connection.hold();
    connection.push(note('b', 3, 5));
    connection.push(note('a', 4, 4));
    connection.replay(note('a', 2, 2));
    connection.replay(note('b', 3, 5));
    connection.release();
    expect(sentSeqs()).toEqual([2, 5]);
    connection.release();
    expect(sentSeqs()).toEqual([2, 5, 4]);
  });

  it('knows the versions of a snapshot', () => {
    connection.snapshot(9, [{ ...note('a', 5, 1).data }]);
    connection.push(note('a', 5, 10));
    connection.push(note('a', 6, 11));
    expect(sentSeqs()).toEqual([11]);
    expect(socket.sent[0]).toMatchObject({ type: 'snapshot', seq: 9 });
  });

  it('pings every 25 s and is gone after one missed pong', () => {
    pass(24_000);
    expect(socket.log).toEqual([]);
    pass(1_000);
    expect(socket.log).toEqual(['ping']);
    connection.alive();
    pass(25_000);
    expect(socket.log).toEqual(['ping', 'ping']);
    pass(25_000);
    expect(socket.log).toEqual(['ping', 'ping', 'terminate']);
  });

  it('ends with the session and does not wait for ever for the goodbye', () => {
    connection = create(10_000);
    pass(9_000);
    expect(socket.log).toEqual([]);
    pass(1_000);
    expect(socket.log).toEqual(['close 4401']);
    connection.push(note('a', 2, 1));
    expect(socket.sent).toEqual([]);
    pass(2_000);
    expect(socket.log).toEqual(['close 4401', 'terminate']);
  });

  it('keeps only the newest frame per order for a slow reader', () => {
    socket.reads = false;
    let seq = 0;
    for (let version = 2; version < 12; version += 1)
      for (const order of ['a', 'b']) connection.push(note(order, version, ++seq));
    const buffered = sentSeqs().length;
    expect(buffered).toBeLessThan(6);
    socket.reads = true;
    socket.drain();
    expect(sentSeqs().slice(buffered)).toEqual([19, 20]);
    connection.push(note('a', 12, 21));
    expect(sentSeqs().at(-1)).toBe(21);
    expect(socket.log).toEqual([]);
  });

  it('goes on waiting when the reader reads only a little', () => {
    socket.reads = false;
    for (let n = 1; n <= 12; n += 1) connection.push(note(`order-${n}`, 2, n));
    const before = sentSeqs().length;
    socket.drain();
    const after = sentSeqs().length;
    expect(after).toBeGreaterThan(before);
    expect(after).toBeLessThan(12);
    socket.drain();
    socket.drain();
    expect(sentSeqs()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it('gives up a reader that does not read at all', () => {
    socket.reads = false;
    for (let n = 1; n <= 40; n += 1) connection.push(note(`order-${n}`, 2, n));
    expect(socket.log).toEqual(['close 1013']);
    const sent = socket.sent.length;
    socket.drain();
    expect(socket.sent).toHaveLength(sent);
    pass(2_000);
    expect(socket.log).toEqual(['close 1013', 'terminate']);
  });

  it('tells a wrong frame once and closes on the second', () => {
    connection.strike();
    expect(socket.sent).toMatchObject([{ type: 'error', data: { code: 'invalid-frame' } }]);
    expect(socket.log).toEqual([]);
    connection.strike();
    expect(socket.log).toEqual(['close 1008']);
  });

  it('closes on a flood of frames, not on the same number over time', () => {
    for (let n = 0; n < 20; n += 1) {
      for (let frame = 0; frame < 5; frame += 1) connection.received();
      pass(1_000);
    }
    expect(socket.log).toEqual([]);
    for (let frame = 0; frame < 6; frame += 1) connection.received();
    expect(socket.log).toEqual(['close 1008']);
  });
});
