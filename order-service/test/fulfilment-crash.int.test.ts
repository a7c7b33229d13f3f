import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { eventually } from '@quicksale/shared/testing';
import { openHolds, type HeldSale, type HoldFixture } from './hold-fixture.ts';
import { makeDue } from './make-due.ts';
import { startOrderProcess, type OrderProcess } from './order-process.ts';
import { startTokenIssuer } from './token-issuer.ts';

jest.setTimeout(120_000);

const quantity = 2;
let fixture: HoldFixture;
let issuer: Awaited<ReturnType<typeof startTokenIssuer>>;
const running: OrderProcess[] = [];
beforeAll(async () => {
  fixture = await openHolds('shipcrash');
  issuer = await startTokenIssuer();
}, 60_000);
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
}, 30_000);
afterAll(async () => {
  await fixture?.stop();
  await issuer?.stop();
});

async function start(settings: Readonly<Record<string, string>> = {}): Promise<OrderProcess> {
  const started = await startOrderProcess({
    NAMESPACE: fixture.namespace,
    INTERNAL_KEY: 'an internal key of a test',
    JWKS_URL: issuer.jwksUrl,
    ...settings,
  });
  running.push(started);
  return started;
}

/** A buyer's order that its merchant has packed; nobody waits for the result of its creation. */
async function givenPacked() {
  const sale = await fixture.givenSale(5, { holdMs: 0 });
  const [record] = await fixture.place(sale, 1, quantity);
  const orderId = record?.orderId ?? '';
  await fixture.mongo
    .db()
    .collection('orders')
    .updateOne(
      { saleId: sale.saleId },
      { $set: { status: 'PROCESSING', inventoryStatus: 'RESERVED', outbox: [] } },
    );
  return { sale, orderId };
}

const ship = ({ url }: OrderProcess, { saleId }: HeldSale, orderId: string) =>
  fetch(`${url}/api/orders/${orderId}/status`, {
    method: 'PUT',
    headers: {
      authorization: `Bearer ${issuer.tokenOf(saleId, 'MERCHANT')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ status: 'SHIPPED', trackingNumber: 'DHL 1' }),
  });

/** What the crash left, so that a fault point in a wrong place is noticed. */
async function stateOf({ saleId, productId }: HeldSale, orderId: string) {
  const snapshot = await fixture.ledger.snapshot(saleId);
  if (typeof snapshot === 'string') throw new Error(snapshot);
  const { available, gone } = snapshot.products[productId] ?? {};
  const { status, shipping, outbox } = await fixture.read(orderId);
  const told = (outbox ?? []).every(({ type }) => type !== 'order.status.v1');
  const marked = shipping !== undefined;
  return { status, marked, told, records: snapshot.records.length, available, gone };
}

const left = { status: 'SHIPPED', marked: true, told: false, available: 3 };

it.each([
  ['row 10', 'after-fulfil-written', { ...left, records: 1, gone: 0 }],
  ['row 11', 'after-house-ship', { ...left, records: 0, gone: quantity }],
])(
  "%s: a buyer's shipment killed %s is finished by the scan, and by nobody without it",
  async (_row, fault, after) => {
    const { sale, orderId } = await givenPacked();
    const doomed = await start({ QUICKSALE_FAULT: fault });
    await expect(ship(doomed, sale, orderId)).rejects.toThrow();
    expect(await doomed.ended).toBe('SIGKILL');
    expect(await stateOf(sale, orderId)).toEqual(after);

    const finished = async () =>
      expect(await stateOf(sale, orderId)).toEqual({
        ...{ status: 'SHIPPED', marked: false, told: true, records: 0 },
        ...{ available: 3, gone: quantity },
      });
    await makeDue(fixture, sale.saleId);
    const crippled = await start({ QUICKSALE_REPAIRS_OFF: 'outbox-scan' });
    // Time for several scans.
    await expect(eventually(finished, 3_000)).rejects.toThrow();
    await crippled.stop();
    const successor = await start();
    await eventually(finished, 60_000);
    // Asked for again, it is so already.
    expect((await ship(successor, sale, orderId)).status).toBe(200);
    expect((await fixture.read(orderId)).version).toBe(2);
    await fixture.books(sale);
  },
);
