import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger, withContext } from '@quicksale/shared/log';
import { createHttpStockArrivals } from './http-stock-arrivals.ts';

const movement = {
  houseOrderId: 'a'.repeat(24),
  saleId: 'b'.repeat(24),
  productId: 'c'.repeat(24),
  units: 3,
  by: 'd'.repeat(24),
};
const lines: { status?: number; msg: string }[] = [];
const log = createLogger(
  { service: 'test', level: 'warn' },
  { write: (line) => void lines.push(JSON.parse(line) as { msg: string }) },
);

let server: Server;
let status: number;
let asked: unknown[];
beforeAll(async () => {
  server = createServer((req, res) => {
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part));
    req.on('end', () => {
      asked.push({
        path: `${req.method} ${req.url}`,
        key: req.headers['x-internal-key'],
        requestId: req.headers['x-request-id'],
        body: JSON.parse(Buffer.concat(parts).toString()),
      });
      // Status 0: the answer is lost.
      if (status === 0) res.destroy();
      else res.writeHead(status, { connection: 'close', location: '/' }).end('{"movementId":"m"}');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});
afterAll(() => new Promise((done) => server.close(done)));
beforeEach(() => {
  asked = [];
  lines.length = 0;
});

const arrive = (port = (server.address() as AddressInfo).port) =>
  createHttpStockArrivals({ url: `http://127.0.0.1:${port}`, internalKey: 'k', log }).arrive(
    movement,
  );

describe('stock arrivals over HTTP', () => {
  it('tells inventory-service with the internal key and the id of the request', async () => {
    status = 200;
    await withContext({ requestId: 'r-1' }, arrive);
    expect(asked).toEqual([
      { path: 'POST /internal/movements', key: 'k', requestId: 'r-1', body: movement },
    ]);
    expect(lines).toEqual([]);
  });

  it.each([201, 204, 302, 401, 404, 409, 422, 500, 503])(
    'takes %d for no acknowledgement',
    async (given) => {
      status = given;
      await expect(arrive()).rejects.toMatchObject({ code: 'dependency-unavailable' });
      expect(asked).toHaveLength(1);
      expect(lines).toHaveLength(1);
      // A redirect is not followed, so there is no answer to speak of.
      if (given !== 302) expect(lines[0]?.status).toBe(given);
    },
  );

  it('takes a lost answer and an absent service for none', async () => {
    status = 0;
    await expect(arrive()).rejects.toMatchObject({ code: 'dependency-unavailable' });
    await expect(arrive(1)).rejects.toMatchObject({ code: 'dependency-unavailable' });
  });
});
