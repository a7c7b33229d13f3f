import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import request from 'supertest';
import { startLedgerCluster, type LedgerCluster } from '@quicksale/local-stack';
import { eventually } from '@quicksale/shared/testing';
import {
  objectId,
  placeOrder,
  startInventory,
  tokenFor,
  type InventoryFixture,
} from './inventory-fixture.ts';

// Servers that start again take their time.
jest.setTimeout(60_000);

let folder: string;
let cluster: LedgerCluster;
let fixture: InventoryFixture;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'qs-inv-cluster-'));
  cluster = await startLedgerCluster({ dataDirectory: folder, env: process.env });
  fixture = await startInventory({ ...process.env, REDIS_LEDGER_URL: cluster.url });
});
afterAll(async () => {
  await fixture.stop();
  await cluster.stop();
  await rm(folder, { recursive: true });
});

const path = '/api/inventory/products';
const post = (merchantId: string, sku: string) =>
  request(fixture.service.app)
    .post(path)
    .set('Authorization', `Bearer ${tokenFor('MERCHANT', merchantId)}`)
    .send({ name: sku, description: 'd', price: 1, stock: 9, sku, category: 'c' });
const read = async (id: string): Promise<unknown> =>
  (await request(fixture.service.app).get(`${path}/${id}`).expect(200)).body;
interface Listed {
  data: { _id: string; available: number | null }[];
}
const list = async (query: string) =>
  (await request(fixture.service.app).get(`${path}${query}`).expect(200)).body as Listed;

interface Merchant {
  id: string;
  productId: string;
}
const masterOf = (merchant: Merchant) =>
  fixture.redis.serverOf(fixture.keys.sale(merchant.id).admitted);
/** Its part in the supervisor. */
const partOf = (merchant: Merchant) => {
  const port = String(masterOf(merchant).client.options.port);
  return cluster.names[cluster.url.split(',').findIndex((url) => url.endsWith(`:${port}`))] ?? '';
};
const errors = () => fixture.lines.filter(({ level }) => level === 'error');

it('sells on through the masters that are there, and on all of them when one is back', async () => {
  // One merchant, hence one standing sale, on each master.
  const byMaster = new Map<string, Merchant>();
  while (byMaster.size < 3) {
    const id = objectId();
    const made = await post(id, 'FIRST').expect(201);
    const merchant = { id, productId: String(made.body.product._id) };
    byMaster.set(masterOf(merchant).name, merchant);
  }
  const [lost, ...others] = [...byMaster.values()] as [Merchant, ...Merchant[]];
  for (const { productId } of [lost, ...others])
    expect(await read(productId)).toMatchObject({ stock: 9, reserved: 0, available: 9 });
  await eventually(async () => {
    const shown = (await list('?inStock=true')).data.map(({ _id }) => _id);
    for (const { productId } of byMaster.values()) expect(shown).toContain(productId);
  });
  const order = await placeOrder(fixture, lost.id, lost.productId);

  // Killed, and away until it is told to start.
  cluster.supervisor.kill(partOf(lost));
  await cluster.supervisor.stopPart(partOf(lost));
  const refused = await post(lost.id, 'SECOND').expect(503);
  expect(refused.body.code).toBe('dependency-unavailable');
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect(await read(lost.productId)).toMatchObject({ stock: null, available: null });
  for (const other of others) {
    await post(other.id, 'SECOND').expect(201);
    await placeOrder(fixture, other.id, other.productId);
    expect(await read(other.productId)).toMatchObject({ stock: 9, reserved: 1, available: 8 });
  }
  const shown = await list('?inStock=true');
  expect(shown.data.map(({ _id }) => _id)).not.toContain(lost.productId);
  for (const { productId } of others)
    expect(shown.data).toContainEqual(expect.objectContaining({ _id: productId, available: 8 }));

  // Another one that is started again is checked and admitted without waiting for the first.
  const [other] = others as [Merchant];
  cluster.supervisor.kill(partOf(other));
  await eventually(() => placeOrder(fixture, other.id, other.productId));
  expect(await read(lost.productId)).toMatchObject({ stock: null });

  // Back with its data, it is admitted without anybody's doing, and its pending product is finished.
  await cluster.supervisor.start([partOf(lost)]);
  await eventually(async () =>
    expect(await fixture.ledger.readHolds(lost.id, [order.id])).toMatchObject({
      records: [{ orderId: order.id }],
    }),
  );
  const again = await post(lost.id, 'SECOND').expect(409);
  await eventually(async () =>
    expect(await read(String(again.body.productId))).toMatchObject({ stock: 9, available: 9 }),
  );

  // Killed once more and started again at once: nothing that was acknowledged is lost.
  cluster.supervisor.kill(partOf(lost));
  await eventually(() => placeOrder(fixture, lost.id, lost.productId));
  expect(await read(lost.productId)).toMatchObject({ stock: 9, reserved: 2, available: 7 });
  expect(errors()).toEqual([]);
});
