import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { startLedgerCluster, type LedgerCluster } from '@quicksale/local-stack';
import { eventually, newId } from '@quicksale/shared/testing';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(60_000);

let folder: string;
let cluster: LedgerCluster;
let fixture: OrderFixture;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'qs-order-cluster-'));
  cluster = await startLedgerCluster({ dataDirectory: folder, env: process.env });
  fixture = await startOrders({ REDIS_LEDGER_URL: cluster.url });
});
afterAll(async () => {
  await fixture.stop();
  await cluster.stop();
  await rm(folder, { recursive: true });
});

it('takes orders of sales on several masters, also while one of them is away', async () => {
  const byMaster = new Map<number, { productId: string; saleId: string }>();
  while (byMaster.size < 3) {
    const sale = await fixture.givenProduct(5);
    const { client } = fixture.servers.serverOf(fixture.keys.sale(sale.saleId).sale);
    byMaster.set(client.options.port ?? 0, sale);
  }
  const sales = [...byMaster.values()];

  // All at once: each unit of each sale goes to one buyer.
  const answers = await Promise.all(
    sales.flatMap(({ productId }) =>
      Array.from({ length: 8 }, () => fixture.place({ userId: newId(), key: 'k', productId })),
    ),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(15);
  expect(answers.filter(({ body }) => body.code === 'sold-out')).toHaveLength(9);
  for (const { saleId } of sales) {
    const units = (await fixture.orders(saleId)).flatMap((order) => order.units as string[]);
    expect(new Set(units).size).toBe(5);
  }

  const [[port = 0, lost] = [], ...others] = [...byMaster];
  if (!lost) throw new Error('no master');
  for (const { saleId, productId } of sales) await fixture.ledger.raise(saleId, productId, 10);
  const place = cluster.url.split(',').findIndex((url) => url.endsWith(`:${port}`));
  const part = cluster.names[place] ?? '';
  const order = { userId: newId(), key: 'again', productId: lost.productId };
  await cluster.supervisor.stopPart(part);
  const refused = await fixture.place(order);
  expect([refused.status, refused.body.code]).toEqual([503, 'dependency-unavailable']);
  for (const [, { productId }] of others)
    expect((await fixture.place({ userId: newId(), key: 'k', productId })).status).toBe(201);

  // Back, but not checked: what it says of itself is not believed.
  await cluster.supervisor.start([part]);
  await eventually(async () => {
    const held = await fixture.ledger.readHolds(lost.saleId, [newId()]);
    expect(held).toBe('not_admitted');
  });
  expect((await fixture.place(order)).status).toBe(503);
  await fixture.admit();
  expect((await fixture.place(order)).status).toBe(201);
  expect(await fixture.orders(lost.saleId)).toHaveLength(6);
});
