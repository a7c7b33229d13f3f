import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { eventually } from '@quicksale/shared/testing';
import { openHolds, type HoldFixture } from './hold-fixture.ts';

jest.setTimeout(120_000);

let fixture: HoldFixture;
const children = new Set<ChildProcess>();
beforeAll(async () => {
  fixture = await openHolds('crash');
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await fixture?.stop();
});

/** order-service as a process of its own, on the stores of the fixture. */
function startService(fault: string): ChildProcess {
  const file = join(import.meta.dirname, '../src/main.ts');
  const child = spawn(process.execPath, ['--disable-warning=TimeoutNegativeWarning', file], {
    stdio: 'ignore',
    env: {
      ...process.env,
      NODE_ENV: 'test',
      NAMESPACE: fixture.namespace,
      ORDER_SERVICE_PORT: '0',
      ORDER_SERVICE_ADMIN_PORT: '0',
      INTERNAL_KEY: 'an internal key of a test',
      LOG_LEVEL: 'silent',
      QUICKSALE_FAULT: fault,
    },
  });
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
}

it.each(['after-expiry-claimed', 'after-expiry-written'])(
  'a service killed %s leaves nothing that its successor does not finish',
  async (fault) => {
    const sale = await fixture.givenSale(60, { holdMs: 100 });
    const records = await fixture.place(sale, 20, 2);
    // These were never written to MongoDB.
    await fixture.reserve(sale, 10);

    const [code, signal] = (await once(startService(fault), 'exit')) as [unknown, unknown];
    expect([code, signal]).toEqual([null, 'SIGKILL']);
    const snapshot = await fixture.ledger.snapshot(sale.saleId);
    expect(snapshot).toMatchObject({ products: { [sale.productId]: { available: 10, held: 50 } } });
    const left = await fixture.orders.findByIds(records.map(({ orderId }) => orderId));
    const written = left.filter(({ status }) => status === 'EXPIRED');
    expect(written).toHaveLength(fault === 'after-expiry-written' ? 20 : 0);
    for (const { releasing } of written) expect(releasing).toHaveLength(2);

    const successor = startService('');
    await eventually(async () => {
      const { available, held, orders } = await fixture.books(sale);
      expect([available, held, orders.length]).toEqual([60, 0, 30]);
      for (const { status, version, outbox } of orders) {
        expect([status, version]).toEqual(['EXPIRED', 2]);
        // Only the proof of order.created is still to come: nobody answers in this test.
        expect(outbox?.map(({ type }) => type) ?? []).not.toContain('order.status.v1');
      }
    }, 60_000);
    successor.kill('SIGTERM');
    expect(await once(successor, 'exit')).toEqual([0, null]);
  },
);
