import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { connectBus, type BusConnection } from '@quicksale/shared/bus';
import { loadConfig } from '@quicksale/shared/config';
import { orderStatus, type OrderStatus } from '@quicksale/shared/contracts';
import { AppError } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import { connectMongo, type Mongo } from '@quicksale/shared/mongo';
import { eventually, testNamespace } from '@quicksale/shared/testing';
import { config as table } from '../src/config.ts';
import { buildService } from '../src/service.ts';
import { openSocket, type SocketClient } from './socket-client.ts';

jest.setTimeout(30_000);

const namespace = testNamespace('notifier');
const log = createLogger({ service: 'test', level: process.env.LOG_LEVEL ?? 'silent' });
const config = loadConfig(table, {
  ...process.env,
  NAMESPACE: namespace,
  NOTIFIER_SERVICE_PORT: '0',
  NOTIFIER_SERVICE_ADMIN_PORT: '0',
  INTERNAL_KEY: 'a key for the tests only',
});
const newId = () => randomBytes(12).toString('hex');

/** Tokens of these tests are the user's id, or `expired`. */
const verifyAccessToken = async (token: string) => {
  if (!/^[0-9a-f]{24}$/.test(token)) throw new AppError('unauthenticated');
  return {
    userId: token,
    role: 'CUSTOMER' as const,
    sessionId: 's',
    expiresAtMs: Date.now() + 60_000,
  };
};
const build = () => buildService(config, log, { verifyAccessToken });

let bus: BusConnection;
let mongo: Mongo;
let redis: Redis;
let notifiers: [ReturnType<typeof build>, ReturnType<typeof build>];
const clients: SocketClient[] = [];

beforeAll(async () => {
  bus = connectBus({ brokers: config.kafkaBrokers, clientId: 'test', namespace, log });
  mongo = connectMongo({ url: config.mongoUrl, namespace, log });
  redis = new Redis(config.redisUrl);
  notifiers = [build(), build()];
  await Promise.all([bus.start(), mongo.start(), ...notifiers.map((one) => one.start())]);
}, 30_000);
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  await Promise.all(notifiers.map((one) => one.stop()));
  await bus.stop();
  await mongo.connection.dropDatabase();
  await mongo.stop();
  redis.disconnect();
}, 30_000);

function open(userId: string, notifier = 0, options = {}): SocketClient {
  const client = openSocket(notifiers[notifier]?.port() ?? 0, userId, options);
  clients.push(client);
  return client;
}

const statusOf = (userId: string, orderId: string, version: number): OrderStatus => ({
  orderId,
  orderNumber: 'ORD-2026-000001',
  userId,
  saleId: newId(),
  from: 'PENDING',
  to: 'CONFIRMED',
  inventoryStatus: 'RESERVED',
  paymentStatus: 'NONE',
  version,
  message: 'Your order is confirmed',
  at: new Date().toISOString(),
});
const publish = (...events: OrderStatus[]) =>
  bus.publish(events.map((event) => orderStatus.event(event)));
const notificationsOf = (userId: string) =>
  mongo.db().collection('notifications').find({ userId }).sort({ seq: 1 }).toArray();

describe('notifier', () => {
  it('an event on Kafka arrives as a frame with a sequence number', async () => {
    const userId = newId();
    const client = open(userId);
    expect(await client.next('welcome')).toMatchObject({ data: { userId, lastSeq: 0, unread: 0 } });
    const event = statusOf(userId, newId(), 2);
    await publish(event);
    const frame = await client.next('order.update');
    expect(frame).toEqual({
      type: 'order.update',
      seq: 1,
      at: event.at,
      data: {
        orderId: event.orderId,
        orderNumber: event.orderNumber,
        status: 'CONFIRMED',
        inventoryStatus: 'RESERVED',
        paymentStatus: 'NONE',
        version: 2,
        message: event.message,
      },
    });
    expect(await notificationsOf(userId)).toMatchObject([
      { _id: `${event.orderId}:2`, seq: 1, readAt: null },
    ]);
  });

  it('both notifiers push to their own sockets of a user', async () => {
    const userId = newId();
    const both = [open(userId, 0), open(userId, 1, { path: '/ws' })];
    await Promise.all(both.map((client) => client.next('welcome')));
    await publish(statusOf(userId, newId(), 2));
    for (const client of both) expect((await client.next('order.update')).seq).toBe(1);
  });

  it('a client that comes back gets what it missed, in order', async () => {
    const userId = newId();
    const orderId = newId();
    const first = open(userId);
    await first.next('welcome');
    await publish(statusOf(userId, orderId, 2));
    const { seq = 0 } = await first.next('order.update');
    await first.close();
    await publish(statusOf(userId, orderId, 3), statusOf(userId, newId(), 2));
    await eventually(async () => expect(await notificationsOf(userId)).toHaveLength(3));
    const second = open(userId, 1);
    expect(await second.next('welcome')).toMatchObject({ data: { lastSeq: 3, unread: 3 } });
    second.send({ type: 'resume', data: { lastSeq: seq } });
    await eventually(() => expect(second.updates().map((frame) => frame.seq)).toEqual([2, 3]));
  });

  it('a client too far behind gets a snapshot of its open orders', async () => {
    const userId = newId();
    const order = (status: string, version: number) => ({
      userId,
      orderNumber: 'ORD-2026-000009',
      status,
      inventoryStatus: 'RESERVED',
      paymentStatus: 'NONE',
      version,
    });
    const { insertedIds } = await mongo
      .db()
      .collection('orders')
      .insertMany([order('CONFIRMED', 2), order('CANCELLED', 3)]);
    await publish(...Array.from({ length: 201 }, () => statusOf(userId, newId(), 2)));
    await eventually(async () => expect(await notificationsOf(userId)).toHaveLength(201));
    const client = open(userId);
    await client.next('welcome');
    client.send({ type: 'resume', lastSeq: 0 });
    const { userId: _, ...fields } = order('CONFIRMED', 2);
    expect(await client.next('snapshot')).toMatchObject({
      seq: 201,
      data: { orders: [{ orderId: insertedIds[0]?.toHexString(), ...fields }] },
    });
    expect(client.updates()).toHaveLength(0);
  });

  it('a redelivered event keeps its number and makes no second notification', async () => {
    const userId = newId();
    const event = statusOf(userId, newId(), 2);
    await publish(event);
    await eventually(async () => expect(await notificationsOf(userId)).toHaveLength(1));
    const client = open(userId);
    await client.next('welcome');
    // Pushed again, as it may have been stored and never pushed.
    await publish(event, event);
    expect((await client.next('order.update')).seq).toBe(1);
    await publish({ ...statusOf(userId, event.orderId, 3) });
    await eventually(() => expect(client.updates()).toHaveLength(2));
    expect(client.updates().map(({ data }) => data.version)).toEqual([2, 3]);
    expect(await notificationsOf(userId)).toHaveLength(2);
  });

  it('counters that Redis lost go on above what is stored', async () => {
    const userId = newId();
    await publish(statusOf(userId, newId(), 2), statusOf(userId, newId(), 2));
    await eventually(async () => expect(await notificationsOf(userId)).toHaveLength(2));
    const lost = [`${namespace}:ql:seq:${userId}`, `${namespace}:ql:seq-memory`];
    expect(await redis.del(lost)).toBe(2);
    const client = open(userId);
    await client.next('welcome');
    await publish(statusOf(userId, newId(), 2));
    expect((await client.next('order.update')).seq).toBe(3);
    // Set back rather than gone: the number is taken.
    await redis.set(`${namespace}:ql:seq:${userId}`, 1);
    await publish(statusOf(userId, newId(), 2));
    await eventually(() => expect(client.updates().map((frame) => frame.seq)).toEqual([3, 4]));
  });

  it('what was published while the subscription was down is read from the store', async () => {
    const userId = newId();
    const client = open(userId);
    await client.next('welcome');
    const stored = statusOf(userId, newId(), 2);
    // Stored by somebody, never published: as if the message had been lost.
    await mongo
      .db()
      .collection<{ _id: string }>('notifications')
      .insertOne({
        _id: `${stored.orderId}:2`,
        userId,
        seq: 1,
        type: 'order.update',
        at: new Date(),
        data: { ...stored, status: 'CONFIRMED' },
        readAt: null,
      } as { _id: string });
    await redis.client('KILL', 'TYPE', 'PUBSUB');
    expect(await client.next('order.update')).toMatchObject({ seq: 1 });
    await publish(statusOf(userId, newId(), 2));
    await eventually(() => expect(client.updates()).toHaveLength(2));
  });
});

describe('connections', () => {
  it('a missing or bad token is told with 4401', async () => {
    expect(await open('nonsense').closed).toBe(4401);
    expect(await open('').closed).toBe(4401);
  });

  it('foreign pages and other paths are refused', async () => {
    const userId = newId();
    expect(await open(userId, 0, { headers: { origin: 'http://evil.test' } }).refused).toBe(403);
    expect(await open(userId, 0, { path: '/elsewhere' }).refused).toBe(404);
    const origin = 'http://localhost:3000';
    expect(await open(userId, 0, { headers: { origin } }).refused).toBe(undefined);
  });

  it('answers pings, refuses what it does not know and closes on repetition', async () => {
    const client = open(newId());
    await client.next('welcome');
    client.send({ type: 'ping' });
    await client.next('pong');
    client.send({ type: 'subscribe', sales: [newId()] });
    expect(await client.next('error')).toMatchObject({ data: { code: 'unsupported' } });
    client.send('{"type":');
    client.send({ type: 'shout' });
    expect(await client.closed).toBe(1008);
  });

  it('a frame above 1 KiB closes with 1009', async () => {
    const client = open(newId());
    await client.next('welcome');
    client.send('x'.repeat(1_025));
    expect(await client.closed).toBe(1009);
  });

  it('a user has at most 20 connections', async () => {
    const userId = newId();
    const allowed = Array.from({ length: 20 }, () => open(userId));
    await Promise.all(allowed.map((client) => client.next('welcome')));
    expect(await open(userId).closed).toBe(4429);
    await allowed[0]?.close();
    await open(userId).next('welcome');
  });

  it('health answers and readiness is told on the admin port', async () => {
    const [notifier] = notifiers;
    const health = await fetch(`http://127.0.0.1:${notifier.port()}/health`);
    expect(await health.json()).toMatchObject({ status: 'ok', service: 'notifier-service' });
    // A member is not ready while its group rebalances: two of them join at any pace.
    await eventually(async () => {
      const ready = await fetch(`http://127.0.0.1:${notifier.adminPort()}/readyz?verbose`);
      expect(await ready.json()).toMatchObject({ ready: true });
    });
  });

  it('clients are told before a notifier goes', async () => {
    const leaving = build();
    await leaving.start();
    const client = openSocket(leaving.port(), newId());
    await client.next('welcome');
    await leaving.stop();
    expect(await client.next('server.draining')).toMatchObject({
      data: { retryInMs: expect.any(Number) },
    });
    expect(await client.closed).toBe(1012);
  });
});
