import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { closeServer, createApp, createHttpServer, listen, route } from '../src/http/index.ts';
import { createLogger } from '../src/log/index.ts';
import { eventually } from '../src/testing/index.ts';

describe('a streamed answer', () => {
  let url: string;
  let server: ReturnType<typeof createHttpServer>;
  let pieces: () => AsyncGenerator<string, void>;
  let ends: number;
  const lines: { level: string }[] = [];
  beforeEach(async () => {
    [ends, lines.length] = [0, 0];
    const log = createLogger(
      { service: 'test', level: 'info' },
      { write: (line) => void lines.push(JSON.parse(line) as { level: string }) },
    );
    const counted = async function* () {
      try {
        yield* pieces();
      } finally {
        ends += 1;
      }
    };
    const books = route(
      {
        ...{ operationId: 'x', method: 'get', path: '/books', summary: 'Read', access: 'public' },
        replies: { 200: z.string() },
      },
      async () => ({ status: 200, stream: { type: 'text/csv', chunks: counted() } }),
    );
    const app = createApp({
      ...{ service: 'test', version: '1', log, trustProxyHops: 0, routes: [books] },
      verifyAccessToken: () => Promise.reject(new Error('nobody is asked')),
    });
    server = createHttpServer(app);
    url = `http://127.0.0.1:${await listen(server, 0, '127.0.0.1')}/books`;
  });
  afterEach(() => closeServer(server, 0));

  it('is no whole one when its source fails in the middle', async () => {
    pieces = async function* () {
      yield 'half';
      await sleep(20);
      throw new Error('the store is away');
    };
    const answer = await fetch(url);
    await expect(answer.text()).rejects.toThrow();
    expect(ends).toBe(1);
    await eventually(() => expect(lines).toMatchObject([{ level: 'error' }]));
  });

  it('ends for a client that goes before its first piece, and that is no defect', async () => {
    let open: () => void = () => undefined;
    const waiting = new Promise<void>((resolve) => (open = resolve));
    let asked = 0;
    pieces = async function* () {
      asked += 1;
      await waiting;
      yield 'a';
      yield 'b';
    };
    const gone = new AbortController();
    const answer = fetch(url, { signal: gone.signal });
    answer.catch(() => undefined);
    await eventually(() => expect(asked).toBe(1));
    gone.abort();
    await expect(answer).rejects.toThrow();
    await eventually(async () => {
      const count = await new Promise((resolve) =>
        server.getConnections((_error, open) => resolve(open)),
      );
      expect(count).toBe(0);
    });
    open();
    await eventually(() => expect(ends).toBe(1));
    expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
