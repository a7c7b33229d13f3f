import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createLogger } from '@quicksale/shared/log';
import { loadConfig } from '@quicksale/shared/config';
import { newId } from '@quicksale/shared/testing';
import { config } from '../src/config.ts';
import { buildService } from '../src/service.ts';
import { startPayments, type PaymentFixture, type Unpaid } from './payment-fixture.ts';

jest.setTimeout(60_000);

let fixture: PaymentFixture;
let order: Unpaid;
beforeAll(async () => {
  fixture = await startPayments();
  order = await fixture.givenOrder(await fixture.givenSale(10));
});
afterAll(() => fixture?.stop());

const posts = [
  ['/api/payments/intent', 'user'],
  ['/api/payments/confirm', 'user'],
  ['/api/payments/methods', 'user'],
  [`/api/payments/${newId()}/refund`, 'support'],
] as const;

describe.each(posts)('POST %s', (path, role) => {
  const send = (type: string, body: string) =>
    fixture.request
      .post(path)
      .set('Authorization', `Bearer ${role}-${newId()}`)
      .set('Idempotency-Key', 'k')
      .type(type)
      .send(body);

  it('refuses what is no small JSON of known fields', async () => {
    for (const [type, body, status] of [
      ['application/json', '{"amount":-1,"orderId":"x","paymentId":"y","token":""}', 400],
      ['application/json', '{', 400],
      ['application/json', `{"reason":"${'x'.repeat(20_000)}"}`, 413],
      ['text/plain', '{}', 415],
    ] as const)
      expect([type, (await send(type, body)).status]).toEqual([type, status]);
  });

  it('refuses strangers', async () => {
    expect((await fixture.post(path, 'nobody', {})).status).toBe(401);
  });
});

it('reads and removals refuse strangers, and what is no address', async () => {
  for (const path of ['/api/payments/history', '/api/payments/methods'])
    expect((await fixture.get(path, 'nobody')).status).toBe(401);
  const remove = (id: string, token: string) =>
    fixture.request.delete(`/api/payments/methods/${id}`).set('Authorization', `Bearer ${token}`);
  expect((await remove(newId(), 'nobody')).status).toBe(401);
  expect((await remove('x', `user-${newId()}`)).status).toBe(400);
  const page = await fixture.get('/api/payments/history?limit=0', `user-${newId()}`);
  expect(page.status).toBe(400);
});

it('a key of one order opens no other', async () => {
  const { userId, orderId } = order;
  const open = (id: string) =>
    fixture.post('/api/payments/intent', `user-${userId}`, { orderId: id }, 'one-key');
  expect((await open(orderId)).status).toBe(200);
  const other = await open(newId());
  expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused']);
});

it('a payment is read by its buyer, its merchant and those who look after both', async () => {
  const path = `/api/payments/${order.orderId}`;
  const statusFor = async (who: string) => (await fixture.get(path, who)).status;
  for (const who of [`user-${order.userId}`, `merchant-${order.saleId}`, `support-${newId()}`])
    expect([who, await statusFor(who)]).toEqual([who, 200]);
  for (const who of [`user-${newId()}`, `merchant-${newId()}`])
    expect([who, await statusFor(who)]).toEqual([who, 404]);
  expect(await statusFor('nobody')).toBe(401);
  expect((await fixture.get('/api/payments/x', `user-${newId()}`)).status).toBe(400);
});

it('nobody tries out card after card', async () => {
  const sale = await fixture.givenSale(1);
  const target = await fixture.givenOrder(sale);
  const statuses: number[] = [];
  for (let n = 0; n < 21; n += 1)
    statuses.push((await fixture.confirm(target, 'sim_declined')).status);
  expect(statuses).toEqual([...Array<number>(20).fill(402), 409]);
});

it('the history comes in pages, newest order first', async () => {
  const userId = newId();
  const payments = fixture.mongo.db().collection<{ _id: string }>('payments');
  const { id: _, ...template } = await fixture.readPayment(order);
  const ids = Array.from({ length: 5 }, () => newId())
    .sort()
    .reverse();
  await payments.insertMany(ids.map((_id) => ({ ...template, _id, userId })));
  const seen: string[] = [];
  let path: string | undefined = '/api/payments/history?limit=2';
  while (path) {
    const { body, headers } = await fixture.get(path, `user-${userId}`);
    const { data } = body as { data: { paymentId: string }[] };
    seen.push(...data.map(({ paymentId }) => paymentId));
    path = /<([^>]+)>; rel="next"/.exec(headers.link ?? '')?.[1];
    expect(seen.length).toBeLessThanOrEqual(5);
  }
  expect(seen).toEqual(ids);
});

it('production takes no simulator for granted', () => {
  const build = (env: Readonly<Record<string, string>>) =>
    buildService(
      loadConfig(config, {
        ...{ MONGO_URL: 'mongodb://127.0.0.1:1', KAFKA_BROKERS: '127.0.0.1:1' },
        ...{ REDIS_LEDGER_URL: 'redis://127.0.0.1:1', INTERNAL_KEY: 'an internal key of a test' },
        ...env,
      }),
      createLogger({ service: 'test', level: 'silent' }),
    );
  expect(() => build({ NODE_ENV: 'production' })).toThrow('PAYMENT_PROVIDER');
  expect(() => build({ NODE_ENV: 'production', PAYMENT_PROVIDER: 'simulator' })).not.toThrow();
  expect(() => build({})).not.toThrow();
});
