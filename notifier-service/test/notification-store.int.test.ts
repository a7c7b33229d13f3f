import { Registry } from '@prometheus-io/client';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createLogger } from '@quicksale/shared/log';
import { connectMongo, type Mongo } from '@quicksale/shared/mongo';
import { connectRedis, type RedisConnection } from '@quicksale/shared/redis';
import { testNamespace } from '@quicksale/shared/testing';
import {
  createMongoNotificationStore,
  createNotificationIndexes,
} from '../src/notifications/mongo-notification-store.ts';
import { createRedisSequenceCounters } from '../src/notifications/redis-sequence-counters.ts';
import { storeNotifications } from '../src/notifications/store-notifications.ts';
import { changeOf, describeNotificationStore, newId } from './notification-store-suite.ts';

jest.setTimeout(30_000);

const namespace = testNamespace('notes');
const log = createLogger({ service: 'test', level: 'silent' });
let mongo: Mongo;
let redis: RedisConnection;

beforeAll(async () => {
  redis = connectRedis({ url: process.env.REDIS_URL ?? '', name: 'work-redis', log });
  await redis.start();
  mongo = await openMongo(namespace);
});
afterAll(async () => {
  await mongo.connection.dropDatabase();
  await Promise.all([mongo.stop(), redis.stop()]);
});

/** A fresh database on a connection that tells its commands. */
async function openMongo(name: string): Promise<Mongo> {
  const url = process.env.MONGO_URL ?? '';
  const opened = connectMongo({ url, namespace: name, log, metrics: new Registry() });
  await opened.start();
  await createNotificationIndexes(opened);
  return opened;
}

const open = () => ({
  store: createMongoNotificationStore(mongo),
  counters: createRedisSequenceCounters({ redis, namespace }),
});

describeNotificationStore('notifications in MongoDB and Redis', async () => ({
  ...open(),
  forget: async () => {
    const keys = await redis.client.keys(`${namespace}:*`);
    if (keys.length > 0) await redis.client.del(keys);
  },
}));

describe('commands', () => {
  it('a batch costs one insert and one round trip to Redis, for known and for new users', async () => {
    const fresh = testNamespace('notes');
    const counting = await openMongo(fresh);
    const store = createMongoNotificationStore(counting);
    const counters = createRedisSequenceCounters({ redis, namespace: fresh });
    const users = Array.from({ length: 100 }, newId);
    const batchFor = (ids: readonly string[]) => ids.map((userId) => changeOf(userId, newId(), 2));
    await storeNotifications({ store, counters }, batchFor(users));
    const commands: string[] = [];
    counting.connection
      .getClient()
      .on('commandStarted', ({ commandName }) => commands.push(commandName));
    let roundTrips = 0;
    const counted = {
      ...counters,
      take: (counts: ReadonlyMap<string, number>) => {
        roundTrips += 1;
        return counters.take(counts);
      },
    };
    const deps = { store, counters: counted };
    await storeNotifications(deps, batchFor(users));
    await storeNotifications(deps, batchFor(Array.from({ length: 100 }, newId)));
    expect(commands).toEqual(['insert', 'insert']);
    expect(roundTrips).toBe(2);
    await counting.connection.dropDatabase();
    await counting.stop();
  });
});
