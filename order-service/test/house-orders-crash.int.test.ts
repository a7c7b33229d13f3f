import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, newId } from '@quicksale/shared/testing';
import { makeDue } from './make-due.ts';
import { startOrders, type OrderFixture, type Twin } from './order-fixture.ts';
import { startOrderProcess, type OrderProcess } from './order-process.ts';

const internalKey = 'an internal key of a test';
/** Rows of the repair table, as they are for an order that nobody but the house waits for. */
const points = [
  ['row 2', 'after-house-reserve'],
  ['row 10', 'after-house-record'],
  ['row 11', 'after-house-ship'],
  ['row 15', 'after-house-movement'],
] as const;

interface Asked {
  key: unknown;
  movement: Record<string, unknown>;
}

/** What inventory-service would be told. */
async function startInventory(): Promise<{ server: Server; url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((req, res) => {
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part));
    req.on('end', () => {
      const known = `${req.method} ${req.url}` === 'POST /internal/movements';
      const body = Buffer.concat(parts).toString();
      if (known)
        asked.push({
          key: req.headers['x-internal-key'],
          movement: JSON.parse(body) as Record<string, unknown>,
        });
      res.writeHead(known ? 200 : 404).end('{"movementId":"m"}');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { server, asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe('an order of the house whose process is killed', () => {
  let fixture: OrderFixture;
  let inventory: Awaited<ReturnType<typeof startInventory>>;
  const running: { stop(): Promise<void> }[] = [];
  beforeAll(async () => {
    inventory = await startInventory();
    // Looks into the stores; its own service is stopped, so that only the others do anything.
    fixture = await startOrders({ INVENTORY_SERVICE_ADMIN_URL: inventory.url });
    await fixture.stopService();
  }, 60_000);
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.stop()));
  }, 30_000);
  afterAll(async () => {
    await fixture?.stop();
    inventory?.server.closeAllConnections();
    await new Promise((done) => inventory?.server.close(done));
  });

  async function startDoomed(point: string): Promise<OrderProcess> {
    const started = await startOrderProcess({
      NAMESPACE: fixture.namespace,
      INTERNAL_KEY: internalKey,
      INVENTORY_SERVICE_ADMIN_URL: inventory.url,
      QUICKSALE_FAULT: point,
    });
    running.push(started);
    return started;
  }

  /** Whoever comes after it. */
  async function startNext(): Promise<Twin> {
    const started = await fixture.startTwin();
    running.push(started);
    return started;
  }

  async function dieAt(point: string) {
    const sale = await fixture.givenProduct(7);
    const order = {
      operationId: `allot:${point}`,
      saleId: sale.saleId,
      by: newId(),
      reason: 'allotment' as const,
      items: [{ productId: sale.productId, quantity: 3 }],
      to: newId(),
    };
    const doomed = await startDoomed(point);
    const asked = fetch(`${doomed.adminUrl}/internal/house-orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-internal-key': internalKey },
      body: JSON.stringify(order),
    });
    await expect(asked).rejects.toThrow();
    expect(await doomed.ended).toBe('SIGKILL');
    return { sale, order };
  }

  type Doomed = Awaited<ReturnType<typeof dieAt>>;

  /** What the crash left, so that a fault point in a wrong place is noticed. */
  async function stateOf({ sale, order }: Doomed) {
    const [stored, ...others] = await fixture.orders(sale.saleId);
    expect(others).toEqual([]);
    const snapshot = await fixture.ledger.snapshot(sale.saleId);
    if (typeof snapshot === 'string') throw new Error(snapshot);
    const { available, gone } = snapshot.products[sale.productId] ?? {};
    return {
      stored: stored !== undefined,
      marked: Boolean(stored?.shipping),
      records: snapshot.records.length,
      available,
      gone,
      movements: movementsTo(order.to).length,
    };
  }

  const movementsTo = (to: string) =>
    inventory.asked.filter(({ movement }) => movement.saleId === to);

  async function expectCompleted({ sale, order }: Doomed) {
    const [stored] = await fixture.orders(sale.saleId);
    expect(stored).toMatchObject({
      kind: 'house',
      status: 'DELIVERED',
      inventoryStatus: 'SOLD',
      version: 1,
      to: order.to,
      units: [1, 2, 3].map((number) => `${sale.saleId}:${sale.productId}:${number}`),
    });
    expect(await stateOf({ sale, order })).toMatchObject({
      stored: true,
      marked: false,
      records: 0,
      available: 4,
      gone: 3,
    });
    const member = `${sale.saleId}/${String(stored?._id)}`;
    const { unrecorded } = fixture.keys.sale(sale.saleId);
    expect(await fixture.redis.client.zscore(unrecorded, member)).toBeNull();
    const asked = movementsTo(order.to);
    expect(asked.length).toBeGreaterThan(0);
    for (const one of asked)
      expect(one).toEqual({
        key: internalKey,
        movement: {
          houseOrderId: String(stored?._id),
          saleId: order.to,
          productId: sale.productId,
          units: 3,
          by: order.by,
        },
      });
    return String(stored?._id);
  }

  const left = {
    'after-house-reserve': { stored: false, marked: false, records: 1, gone: 0, movements: 0 },
    'after-house-record': { stored: true, marked: true, records: 1, gone: 0, movements: 0 },
    'after-house-ship': { stored: true, marked: true, records: 0, gone: 3, movements: 0 },
    'after-house-movement': { stored: true, marked: true, records: 0, gone: 3, movements: 1 },
  };

  it.each(points)(
    '%s: %s is completed by the process that comes next, unasked',
    async (_row, point) => {
      const doomed = await dieAt(point);
      expect(await stateOf(doomed)).toEqual({ ...left[point], available: 4 });
      await makeDue(fixture, doomed.sale.saleId);
      const next = await startNext();
      const orderId = await eventually(() => expectCompleted(doomed), 30_000);
      const { status, body } = await next.placeForHouse(doomed.order);
      expect({ status, body }).toEqual({ status: 200, body: { orderId, units: 3 } });
      await expectCompleted(doomed);
    },
    90_000,
  );

  it.each(points)(
    '%s: %s is completed when it is asked for again',
    async (_row, point) => {
      const doomed = await dieAt(point);
      const { status, body } = await (await startNext()).placeForHouse(doomed.order);
      const orderId = await expectCompleted(doomed);
      expect({ status, body }).toEqual({ status: 200, body: { orderId, units: 3 } });
    },
    90_000,
  );
});
