import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { withContext } from '@quicksale/shared/log';
import type { HouseOrder } from './house-orders.ts';
import { createHttpHouseOrders } from './http-house-orders.ts';

const order: HouseOrder = {
  operationId: 'confirm:1',
  saleId: 'a'.repeat(24),
  by: 'b'.repeat(24),
  reason: 'confirmed-hold',
  items: [{ productId: 'c'.repeat(24), quantity: 2 }],
  holdId: 'd'.repeat(24),
  holdUserId: 'e'.repeat(24),
};

let server: Server;
let answer: { status: number; body: string };
let asked: { path: string; key: unknown; requestId: unknown; body: unknown }[];
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
      if (answer.status === 0) res.destroy();
      else res.writeHead(answer.status, { connection: 'close' }).end(answer.body);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});
afterAll(() => new Promise((done) => server.close(done)));
beforeEach(() => {
  asked = [];
});

const make = () => {
  const { port } = server.address() as AddressInfo;
  return createHttpHouseOrders({ url: `http://127.0.0.1:${port}`, internalKey: 'k' }).make(order);
};
const given = (status: number, body: unknown) => {
  answer = { status, body: typeof body === 'string' ? body : JSON.stringify(body) };
};

describe('house orders over HTTP', () => {
  it('sends the order with the internal key and the id of the request', async () => {
    given(200, { orderId: 'o', units: 2 });
    const made = await withContext({ requestId: 'r-1' }, make);
    expect(made).toEqual({ kind: 'made', orderId: 'o' });
    expect(asked).toEqual([
      { path: 'POST /internal/house-orders', key: 'k', requestId: 'r-1', body: order },
    ]);
  });

  it('returns what may be expected', async () => {
    const products = [{ productId: 'p', available: 1 }];
    given(409, { code: 'insufficient-stock', products });
    expect(await make()).toEqual({ kind: 'insufficient-stock', products });
    given(409, { code: 'hold-gone' });
    expect(await make()).toEqual({ kind: 'hold-gone' });
  });

  it.each([
    [503, { code: 'sale-fenced' }, 'sale-fenced'],
    [503, { code: 'dependency-unavailable' }, 'dependency-unavailable'],
    [500, { code: 'internal' }, 'dependency-unavailable'],
    [502, 'Bad gateway', 'dependency-unavailable'],
    [200, '{"orderId":', 'dependency-unavailable'],
    [0, '', 'dependency-unavailable'],
    [422, { code: 'unknown-product' }, 'unknown-product'],
    [422, { code: 'idempotency-key-reused' }, 'idempotency-key-reused'],
    [401, { code: 'unauthenticated' }, 'internal'],
    [400, { code: 'validation-failed' }, 'internal'],
    [409, { code: 'something-new' }, 'internal'],
  ])('throws at %d %p', async (status, body, code) => {
    given(status, body);
    await expect(make()).rejects.toMatchObject({ code });
  });

  it('says that order-service is away', async () => {
    const away = createHttpHouseOrders({ url: 'http://127.0.0.1:1', internalKey: 'k' });
    await expect(away.make(order)).rejects.toMatchObject({ code: 'dependency-unavailable' });
  });
});
