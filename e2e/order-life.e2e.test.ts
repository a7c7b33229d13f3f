import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { statuses, type Status } from '@quicksale/shared/contracts';
import { mayBecome } from '@quicksale/shared/orders';
import { eventually } from '@quicksale/shared/testing';
import { openMongoGate } from '../order-service/test/mongo-gate.ts';
import { openLedgerFiles } from './ledger-files.ts';
import { expectBalanced, givenSale, type GivenSale } from './sale-books.ts';
import { startServiceProcess } from './service-process.ts';
import { startSystem, type System } from './system.ts';

jest.setTimeout(120_000);

interface Placed {
  orderId: string;
  /** The buyer's. */
  token: string;
  sale: GivenSale;
}

const edgesOf = (from: Status) => statuses.filter((to) => mayBecome(from, to));
const allEdges = statuses.flatMap((from) => edgesOf(from).map((to) => `${from} -> ${to}`));

/** Everything by way of the gateway: what buyers, merchants and support can do, and the deadline. */
describe('the whole life of an order', () => {
  let system: System;
  let keys = 0;
  /** Edges that the orders' own histories tell of. */
  const walked = new Set<string>();
  const sales: GivenSale[] = [];

  beforeAll(async () => {
    // It looks at its orders far more often than buyers do.
    const settings = { RATE_LIMIT_DEFAULT: '100000/60' };
    system = await startSystem({ name: 'life', ownServers: 'ledger', settings });
  }, 240_000);
  afterAll(() => system?.stop(), 60_000);

  const nextKey = () => `life-${(keys += 1)}`;

  async function saleOf(terms: Parameters<typeof givenSale>[3] = {}): Promise<GivenSale> {
    const sale = await givenSale(system, 10, 10, terms);
    sales.push(sale);
    return sale;
  }

  async function place(sale: GivenSale): Promise<Placed> {
    const { token } = system.signIn();
    const order = { token, key: nextKey(), productId: sale.productId, limitMs: 60_000 };
    const { body, status, text } = await system.api.placeOrderUntilFinal(order);
    if (status !== 201) throw new Error(text);
    return { orderId: (body.order as { _id: string })._id, token, sale };
  }

  async function read({ orderId, token }: Placed) {
    const { body } = await system.api.call(`/api/orders/${orderId}`, { token });
    for (const { from, to } of (body.history ?? []) as { from: Status | null; to: Status }[])
      if (from && from !== to) walked.add(`${from} -> ${to}`);
    return body;
  }

  const becomes = (placed: Placed, expected: object) =>
    eventually(async () => expect(await read(placed)).toMatchObject(expected), 30_000);

  async function post(path: string, token: string, body: object) {
    const answer = await system.api.call(path, { token, key: nextKey(), body });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.text}`);
    return answer.body;
  }

  async function pay({ orderId, token }: Placed): Promise<void> {
    const { paymentId } = await post('/api/payments/intent', token, { orderId });
    await post('/api/payments/confirm', token, { paymentId, method: 'sim_ok' });
  }

  const cancel = ({ orderId, token }: Placed) => post(`/api/orders/${orderId}/cancel`, token, {});

  const setStatus = ({ orderId, sale }: Placed, status: Status) =>
    system.api
      .call(`/api/orders/${orderId}/status`, {
        method: 'PUT',
        token: sale.token,
        body: { status, ...(status === 'SHIPPED' && { trackingNumber: 'QS-1' }) },
      })
      .then(({ text, status: answered }) => {
        if (answered !== 200) throw new Error(text);
      });

  const refund = ({ orderId }: Placed) =>
    post(`/api/payments/${orderId}/refund`, system.signIn('SUPPORT').token, { reason: 'broken' });

  /** A paid order that has come so far. */
  async function paidUpTo(
    last: 'CONFIRMED' | 'PROCESSING' | 'SHIPPED' | 'DELIVERED',
  ): Promise<Placed> {
    const placed = await place(await saleOf({ holdMs: 600_000 }));
    await becomes(placed, { status: 'AWAITING_PAYMENT' });
    await pay(placed);
    await becomes(placed, { status: 'CONFIRMED', paymentStatus: 'PAID' });
    for (const status of ['PROCESSING', 'SHIPPED', 'DELIVERED'] as const) {
      if (last === 'CONFIRMED') break;
      await setStatus(placed, status);
      if (status === last) break;
    }
    await becomes(placed, { status: last });
    return placed;
  }

  it('from money to the door', async () => {
    const placed = await paidUpTo('DELIVERED');
    await becomes(placed, { inventoryStatus: 'SOLD', trackingNumber: 'QS-1' });
  });

  it.each(['CONFIRMED', 'PROCESSING', 'SHIPPED', 'DELIVERED'] as const)(
    'refunded when it is %s',
    async (last) => {
      const placed = await paidUpTo(last);
      await refund(placed);
      const isSold = last === 'SHIPPED' || last === 'DELIVERED';
      await becomes(placed, {
        status: 'REFUNDED',
        paymentStatus: 'REFUNDED',
        inventoryStatus: isSold ? 'SOLD' : 'RELEASED',
      });
    },
  );

  it.each(['CONFIRMED', 'PROCESSING'] as const)('cancelled when it is %s', async (last) => {
    const placed = await paidUpTo(last);
    await cancel(placed);
    await becomes(placed, { status: 'CANCELLED', paymentStatus: 'REFUNDED' });
  });

  it('cancelled, or too late, while it waits for money', async () => {
    const given = await place(await saleOf({ holdMs: 600_000 }));
    await becomes(given, { status: 'AWAITING_PAYMENT' });
    await cancel(given);
    await becomes(given, { status: 'CANCELLED', inventoryStatus: 'RELEASED' });
    const late = await place(await saleOf({ holdMs: 1_500 }));
    await becomes(late, { status: 'AWAITING_PAYMENT' });
    await becomes(late, { status: 'EXPIRED', inventoryStatus: 'RELEASED' });
  });

  it('before anybody has looked at it: confirmed by Kafka, by money, cancelled, too late', async () => {
    await becomes(await place(await saleOf()), { status: 'CONFIRMED' });
    await system.supervisor.stopPart('kafka-processor');
    try {
      const patient = await saleOf({ holdMs: 600_000 });
      const [paid, given] = [await place(patient), await place(patient)];
      const late = await place(await saleOf({ holdMs: 1_500 }));
      await pay(paid);
      await becomes(paid, { status: 'CONFIRMED', inventoryStatus: 'PENDING' });
      await cancel(given);
      await becomes(given, { status: 'CANCELLED' });
      await becomes(late, { status: 'EXPIRED' });
    } finally {
      await system.supervisor.start(['kafka-processor']);
    }
  });

  it('failed: promised by a fast sale, whose ledger then forgot it and sold its unit again', async () => {
    const sale = await givenSale(system, 1, 1, { durability: 'fast' });
    sales.push(sale);
    const files = await openLedgerFiles(system);
    const gate = await openMongoGate(String(system.env.MONGO_URL));
    await system.supervisor.stopPart('order-service');
    const cutOff = await startServiceProcess(system, 'order-service', { MONGO_URL: gate.url });
    // From now on it has what it needs to answer; it will not be able to write.
    const { token } = system.signIn();
    const tooMany = { token, key: nextKey(), productId: sale.productId, quantity: 2 };
    await eventually(async () => {
      expect((await system.api.placeOrder(tooMany)).body.code).toBe('sold-out');
    });
    const before = await files.copy('before');
    gate.shut();
    const first = await place(sale);
    await cutOff.stop();
    const after = await files.copy('after');
    await files.restartOn(() => files.setBackTo(before));
    await system.supervisor.start(['order-service']);
    const second = await place(sale);
    await becomes(second, { status: 'CONFIRMED' });
    await files.restartOn(() => files.setBackTo(after));
    await becomes(first, { status: 'FAILED', inventoryStatus: 'REJECTED' });
    await becomes(second, { status: 'CONFIRMED', inventoryStatus: 'RESERVED' });
    await gate.close();
  });

  it('has walked every edge of the graph and no other, and left the books right', async () => {
    expect([...walked].sort()).toEqual(allEdges.sort());
    process.stdout.write(`order life: ${walked.size} edges, ${sales.length} sales\n`);
    for (const { saleId } of sales) await eventually(() => expectBalanced(system, saleId), 30_000);
  });
});
