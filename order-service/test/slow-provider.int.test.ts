import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { eventually, newId } from '@quicksale/shared/testing';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(120_000);

let fixture: OrderFixture;
/** Takes connections and never answers. */
let silent: Server;
beforeAll(async () => {
  silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as { port: number };
  fixture = await startOrders({
    PAYMENT_PROVIDER: 'stripe',
    STRIPE_SECRET_KEY: 'sk_test_x',
    STRIPE_WEBHOOK_SECRET: 'whsec_x',
    STRIPE_API_URL: `http://127.0.0.1:${port}`,
  });
});
afterAll(async () => {
  await fixture.stop();
  silent.close();
});

it('a provider that does not answer holds up no units', async () => {
  const sale = await fixture.givenProduct(100, { holdMs: 600_000, opensAtMs: 1 });
  const orders = fixture.mongo.db().collection('orders');
  const count = 30;
  const ids = await Promise.all(
    Array.from({ length: count }, async () => {
      const placed = await fixture.place({ userId: newId(), key: newId(), ...sale });
      expect(placed.status).toBe(201);
      return placed.body.order._id as string;
    }),
  );
  const ObjectId = fixture.mongo.connection.base.mongo.ObjectId;
  const now = new Date();
  await fixture.mongo
    .db()
    .collection('payments')
    .insertMany(
      ids.map((id) => ({
        ...{ _id: id as never, userId: newId(), provider: 'stripe', status: 'succeeded' },
        ...{ amount: 4999, currency: 'USD', attempts: 1, version: 1, expiresAt: null, checks: 0 },
        intents: [{ id: `pi_${id}`, amount: 4999, captured: 4999, isOpen: false }],
        ...{ refunds: [], createdAt: now, updatedAt: now },
      })),
    );
  // All of them were cancelled by processes that died right afterwards.
  for (const id of ids)
    await orders.updateOne(
      { _id: new ObjectId(id) },
      {
        $set: {
          ...{ status: 'CANCELLED', inventoryStatus: 'RELEASED', paymentStatus: 'PAID' },
          repaying: true,
          outboxAt: now,
        },
        $unset: { units: '', outbox: '' },
      },
    );
  await eventually(
    async () => expect(fixture.lines.join()).toContain('money goes back later'),
    30_000,
  );
  // One more dies after it gave up its units.
  const placed = await fixture.place({ userId: newId(), key: newId(), ...sale });
  const _id = new ObjectId(placed.body.order._id as string);
  const before = await orders.findOne({ _id });
  await orders.updateOne(
    { _id },
    {
      $set: { status: 'CANCELLED', releasing: before?.units, outboxAt: now },
      $unset: { units: '' },
    },
  );
  await eventually(
    async () => expect(await orders.findOne({ _id })).not.toHaveProperty('releasing'),
    20_000,
  );
});
