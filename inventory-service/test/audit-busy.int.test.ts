import { randomInt } from 'node:crypto';
import { expect, it, jest } from '@jest/globals';
import { eventually } from '@quicksale/shared/testing';
import { objectId, startInventory } from './inventory-fixture.ts';
import { startOrders } from '../../order-service/test/order-fixture.ts';

jest.setTimeout(180_000);

it('raises no false alarm in a busy sale, however often it looks', async () => {
  const orders = await startOrders({ LEDGER_SHARDS: '4' });
  const inventory = await startInventory(process.env, orders.namespace, { everyMs: 0, restMs: 0 });
  const saleId = objectId();
  const db = orders.mongo.db();
  const movements = db.collection<{ _id: string }>('stock-movements');
  let last = 0;
  /** The movement first, then the ledger, as the service does. */
  const restock = async (productId: string, units: number) => {
    const movement = { saleId, productId, firstUnit: last + 1, lastUnit: last + units };
    last += units;
    const _id = `restock:${last}`;
    const rest = { reason: 'restock', by: saleId, at: new Date() };
    await movements.insertOne({ _id, ...movement, ...rest });
    await orders.ledger.raise(saleId, productId, last);
  };
  const walked = async () => {
    const port = inventory.service.adminPort();
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return Number(/^quicksale_sale_audits_total (\d+)$/m.exec(text)?.[1]);
  };
  try {
    const productId = objectId();
    await orders.putSale({
      saleId,
      opensAtMs: 1,
      holdMs: 1_500,
      products: [{ productId, price: 100, away: false }],
    });
    await restock(productId, 150);
    await orders.givenCatalogueEntry({ productId, saleId });
    const sale = { kind: 'timed', ledgerReady: true, settingsVersion: 1 };
    await db.collection<{ _id: string }>('sales').insertOne({ _id: saleId, ...sale });

    const orderCount = 800;
    const tally = { made: 0, refused: 0, cancelled: 0, house: 0, restocked: 0 };
    let next = 0;
    async function buyer(): Promise<void> {
      for (let n = next++; n < orderCount; n = next++) {
        const userId = objectId();
        const made = await orders.place({
          userId,
          key: `k${n}`,
          productId,
          quantity: randomInt(1, 4),
        });
        if (made.status !== 201) {
          tally.refused += 1;
          expect(made.body.code).toBe('sold-out');
        } else {
          tally.made += 1;
          if (randomInt(3) === 0) {
            await orders.request
              .post(`/api/orders/${String(made.body.order._id)}/cancel`)
              .set('Authorization', `Bearer user-${userId}`)
              .set('Idempotency-Key', `c${n}`)
              .send({});
            tally.cancelled += 1;
          }
        }
        if (n % 40 === 39) {
          tally.restocked += 1;
          await restock(productId, 10);
        }
        if (n % 90 === 89) {
          tally.house += 1;
          await orders.placeForHouse({
            operationId: `h${n}`,
            saleId,
            by: saleId,
            reason: 'damage',
            items: [{ productId, quantity: 1 }],
          });
        }
      }
    }
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 24 }, buyer));
    const tookMs = Math.round(performance.now() - startedAt);
    // Deadlines pass; then the sale changes once more, and is looked at when all is quiet.
    await eventually(
      async () => expect(await orders.ledger.snapshot(saleId)).toMatchObject({ records: [] }),
      30_000,
    );
    // Counted before: the walk that follows may be over in no time, and none comes without a change.
    const before = await walked();
    await restock(productId, 1);
    await eventually(async () => expect(await walked()).toBeGreaterThan(before), 30_000);
    const expired = await db.collection('orders').countDocuments({ saleId, status: 'EXPIRED' });
    process.stderr.write(
      `busy sale: ${JSON.stringify({ ...tally, expired, tookMs, walks: await walked() })}\n`,
    );
    expect(tally.made).toBeGreaterThan(200);
    expect(tally.cancelled).toBeGreaterThan(20);
    expect(inventory.lines.filter(({ level }) => level === 'error')).toEqual([]);
    expect(inventory.lines.filter(({ drift }) => drift !== undefined)).toEqual([]);
    expect(await orders.ledger.snapshot(saleId)).toMatchObject({ fenced: false });
  } finally {
    await inventory.stop();
    await orders.stop();
  }
});
