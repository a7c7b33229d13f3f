import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually, newId } from '@quicksale/shared/testing';
import { openMongoGate, type MongoGate } from './mongo-gate.ts';
import { startOrders, type OrderFixture } from './order-fixture.ts';
import { startOrderProcess, type OrderProcess } from './order-process.ts';
import { startTokenIssuer } from './token-issuer.ts';

jest.setTimeout(90_000);

/** More than one claim of the sweep. */
const orderCount = 150;

describe('a fast sale whose process is killed between its answers and the inserts', () => {
  let fixture: OrderFixture;
  let gate: MongoGate;
  let issuer: Awaited<ReturnType<typeof startTokenIssuer>>;
  let doomed: OrderProcess;
  beforeAll(async () => {
    fixture = await startOrders();
    gate = await openMongoGate(process.env.MONGO_URL ?? '');
    issuer = await startTokenIssuer();
    doomed = await startOrderProcess({
      NAMESPACE: fixture.namespace,
      INTERNAL_KEY: 'an internal key of a test',
      MONGO_URL: gate.url,
      JWKS_URL: issuer.jwksUrl,
    });
  });
  afterAll(async () => {
    await doomed?.stop();
    await gate?.close();
    await issuer?.stop();
    await fixture?.stop();
  });

  const place = ({ userId, ...wanted }: { userId: string; key: string; productId: string }) =>
    doomed.place({ ...wanted, token: issuer.tokenOf(userId) });

  it('keeps every order that was answered: the ledger has it, and the sweep writes it', async () => {
    const sale = await fixture.givenProduct(1_000, { durability: 'fast' });
    const wanted = () => ({ userId: newId(), key: 'k', productId: sale.productId });
    // It knows the product, a block of order numbers and the token keys now.
    expect((await place(wanted())).status).toBe(201);
    await eventually(async () => expect(await fixture.orders(sale.saleId)).toHaveLength(1));
    gate.shut();
    const buyers = Array.from({ length: orderCount }, wanted);
    const answers = await Promise.all(
      buyers.map(async (buyer) => {
        const answer = await place(buyer);
        return { buyer, status: answer.status, text: await answer.text() };
      }),
    );
    await doomed.kill();
    expect(answers.map(({ status }) => status)).toEqual(buyers.map(() => 201));
    expect(await fixture.orders(sale.saleId)).toHaveLength(1);
    const [first] = answers;
    if (!first) throw new Error('no answer');
    const { order } = JSON.parse(first.text) as { order: { _id: string } };
    const early = await fixture.read({ userId: first.buyer.userId, orderId: order._id });
    expect([early.status, early.body.code]).toEqual([503, 'order-being-recorded']);
    expect(early.headers['retry-after']).toBe('1');

    await eventually(
      async () => expect(await fixture.orders(sale.saleId)).toHaveLength(orderCount + 1),
      30_000,
    );
    const units = (await fixture.orders(sale.saleId)).flatMap((one) => one.units as string[]);
    expect(new Set(units).size).toBe(orderCount + 1);
    const read = await fixture.read({ userId: first.buyer.userId, orderId: order._id });
    expect([read.status, read.body._id]).toEqual([200, order._id]);
    for (const { buyer, text } of answers.slice(0, 20)) {
      const again = await fixture.place(buyer);
      expect([again.status, again.text]).toEqual([201, text]);
    }
  });
});
