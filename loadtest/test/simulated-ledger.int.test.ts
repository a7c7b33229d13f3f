import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { ReserveRequest, SaleSettings, StockLedger } from '@quicksale/shared/stock-ledger';
import { objectId, openLedger, type LedgerFixture } from '../../shared/test/ledger-fixture.ts';
import { createSimulatedLedger } from '../src/simulation/simulated-ledger.ts';
import { createWorld } from '../src/simulation/world.ts';

let fixture: LedgerFixture;
beforeAll(async () => {
  fixture = await openLedger(2);
});
afterAll(() => fixture.close());

const [saleId, productId, orderId] = [objectId(), objectId(), objectId()];
const request: ReserveRequest = {
  ...{ orderId, userId: objectId(), kind: 'order', digest: 'd', fingerprint: 'f', facts: '' },
  items: [{ productId, quantity: 1 }],
};
const settings: SaleSettings = {
  ...{ saleId, settingsVersion: 1, state: 'live', opensAtMs: 0, closesAtMs: 0 },
  ...{ perBuyerLimit: 0, holdMs: 0, durability: 'safe', products: [] },
};
const units = { orderId, units: { [productId]: [1] } };
const turn = { epoch: 2, slice: 0 };

/** Every operation once. What the admitted ledger does is compared in the ledger's model test. */
const calls: Record<string, (ledger: StockLedger) => Promise<unknown>> = {
  reserve: (ledger) => ledger.reserve(saleId, [request, request]),
  release: (ledger) => ledger.release(saleId, [units, units]),
  settle: (ledger) => ledger.settle(saleId, [orderId, orderId]),
  ship: (ledger) => ledger.ship(saleId, [units, units]),
  readHolds: (ledger) => ledger.readHolds(saleId, [orderId]),
  findKeys: (ledger) => ledger.findKeys([{ saleId, digest: 'd' }]),
  claimDue: (ledger) => ledger.claimDue(0, { leaseMs: 1, limit: 1 }),
  claimUnrecorded: (ledger) => ledger.claimUnrecorded(0, { ageMs: 1, leaseMs: 1, limit: 1 }),
  strikeOff: (ledger) => ledger.strikeOff(saleId, [orderId]),
  markUnrecorded: (ledger) => ledger.markUnrecorded(saleId, [orderId, orderId]),
  raise: (ledger) => ledger.raise(saleId, productId, 1),
  lastUnits: (ledger) => ledger.lastUnits(saleId, [productId]),
  putSale: (ledger) => ledger.putSale(settings, true),
  fence: (ledger) => ledger.fence(saleId, 1),
  rebuild: (ledger) => ledger.rebuild(saleId, turn, { kind: 'begin' }),
  saleStates: (ledger) => ledger.saleStates([saleId, saleId]),
  markedOrders: (ledger) => ledger.markedOrders(saleId),
  peekHolds: (ledger) => ledger.peekHolds(saleId, [orderId]),
};

it.each(Object.entries(calls))(
  '%s: a server that was not checked says the same',
  async (_, call) => {
    await fixture.admit('another run');
    const world = createWorld(1);
    const simulated = createSimulatedLedger(world, {
      keys: fixture.keys,
      witness: () => undefined,
    }).connect({ name: 'test', isAlive: true });
    const said = call(simulated.ledger);
    while (await world.step());
    expect(await said).toEqual(await call(fixture.ledger));
  },
);
