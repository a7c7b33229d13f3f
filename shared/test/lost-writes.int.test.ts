import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLogger } from '@quicksale/shared/log';
import { connectMongo, type Mongo } from '@quicksale/shared/mongo';
import { eventually, testNamespace } from '@quicksale/shared/testing';

describe('a connection to MongoDB that breaks under a command', () => {
  const sockets: Socket[] = [];
  let mongo: Mongo;
  beforeAll(async () => {
    subscribe('net.client.socket', (message) => {
      sockets.push((message as { socket: Socket }).socket);
    });
    mongo = connectMongo({
      url: process.env.MONGO_URL ?? '',
      namespace: testNamespace('lostwrites'),
      log: createLogger({ service: 'test', level: 'silent' }),
    });
    await mongo.start();
  }, 30_000);
  afterAll(() => mongo.stop());

  const ping = () => mongo.db().command({ ping: 1 });

  it('fails it at once, however late the command was, and the next one works', async () => {
    for (let round = 0; round < 5; round += 1) {
      await eventually(async () => expect(await ping()).toMatchObject({ ok: 1 }));
      // The socket is gone, and nobody has been told yet.
      const command = ping();
      for (const socket of sockets) socket.destroy();
      await expect(command).rejects.toThrow(/closed|destroyed|write/);
    }
  }, 20_000);
});
