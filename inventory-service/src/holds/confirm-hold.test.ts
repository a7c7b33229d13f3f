import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Principal } from '@quicksale/shared/auth';
import type { HoldRecord, StockLedger } from '@quicksale/shared/stock-ledger';
import type { Product } from '../products/product.ts';
import type { HouseOrder, MadeHouseOrder } from '../stock/house-orders.ts';
import { confirmHold, type ConfirmHoldDeps } from './confirm-hold.ts';
import type { Confirmation } from './confirmation.ts';

const id = (n: number) => n.toString(16).padStart(24, '0');
const hold = { saleId: id(0xa), recordId: id(0xb) };
const holdId = hold.saleId + hold.recordId;
const [merchantId, buyer] = [id(1), id(2)];
const principal = (role: Principal['role'], userId = merchantId): Principal => ({
  role,
  userId,
  sessionId: 's',
  expiresAtMs: 0,
});
const record = {
  orderId: hold.recordId,
  kind: 'bare',
  userId: buyer,
  expiresAt: 1_000,
  units: { [id(3)]: [4, 5], [id(6)]: [1] },
} as unknown as HoldRecord;

let held: Awaited<ReturnType<StockLedger['readHolds']>>;
let products: Partial<Product>[];
let written: Map<string, Confirmation>;
let orders: HouseOrder[];
let made: MadeHouseOrder;
beforeEach(() => {
  held = { epoch: 1, nowMs: 999, records: [record] };
  products = [id(3), id(6)].map((productId) => ({ id: productId, merchantId }));
  written = new Map();
  orders = [];
  made = { kind: 'made', orderId: id(7) };
});

const deps: ConfirmHoldDeps = {
  clock: { now: () => 5_000 },
  ledger: { readHolds: async () => held },
  products: {
    findByIds: async (ids) => products.filter((p) => ids.includes(p.id ?? '')) as Product[],
  },
  confirmations: {
    find: async (wanted) => written.get(wanted),
    insert: async (one) => {
      if (!written.has(one.holdId)) written.set(one.holdId, one);
      return written.get(one.holdId) ?? one;
    },
  },
  houseOrders: {
    make: async (order) => {
      orders.push(order);
      return made;
    },
  },
};
const confirm = (who = principal('MERCHANT')) => confirmHold(deps, hold, who);
const gone = { kind: 'hold-gone' };

describe('confirming a hold', () => {
  it('makes an order of the house of all that is held', async () => {
    expect(await confirm()).toEqual(made);
    expect(orders).toEqual([
      {
        operationId: `confirm:${holdId}`,
        saleId: hold.saleId,
        by: merchantId,
        reason: 'confirmed-hold',
        items: [
          { productId: id(3), quantity: 2 },
          { productId: id(6), quantity: 1 },
        ],
        holdId: hold.recordId,
        holdUserId: buyer,
      },
    ]);
  });

  it('is the very same order when it is repeated, though the hold is gone', async () => {
    await confirm();
    held = { epoch: 1, nowMs: 999, records: [undefined] };
    expect(await confirm()).toEqual(made);
    // Also by an admin: what is repeated is what the merchant said first.
    expect(await confirm(principal('ADMIN', id(99)))).toEqual(made);
    expect(orders).toHaveLength(3);
    expect(new Set(orders.map((order) => JSON.stringify(order))).size).toBe(1);
  });

  it('writes the confirmation before it asks for the order', async () => {
    const make = async () => {
      expect(written.get(holdId)).toMatchObject({ by: merchantId, userId: buyer });
      throw new Error('crash');
    };
    const dying = { ...deps, houseOrders: { make } };
    await expect(confirmHold(dying, hold, principal('MERCHANT'))).rejects.toThrow('crash');
    held = { epoch: 1, nowMs: 999, records: [undefined] };
    expect(await confirm()).toEqual(made);
  });

  it('of two at the same time the first stands', async () => {
    written.set(holdId, {
      holdId,
      saleId: hold.saleId,
      userId: buyer,
      items: [{ productId: id(3), quantity: 2 }],
      by: id(99),
      at: new Date(0),
    });
    const late = { ...deps, confirmations: { ...deps.confirmations, find: async () => undefined } };
    await confirmHold(late, hold, principal('MERCHANT'));
    expect(orders).toMatchObject([{ by: id(99) }]);
  });

  it('is for the merchant of every product, also when it is repeated', async () => {
    const stranger = principal('MERCHANT', id(50));
    expect(await confirm(stranger)).toEqual(gone);
    products[1] = { id: id(6), merchantId: id(50) };
    expect(await confirm()).toEqual(gone);
    expect(await confirm(stranger)).toEqual(gone);
    products.pop();
    expect(await confirm()).toEqual(gone);
    expect([orders.length, written.size]).toEqual([0, 0]);
    await confirm(principal('ADMIN'));
    expect(await confirm(stranger)).toEqual(gone);
    expect(orders).toHaveLength(1);
  });

  it.each([
    ['that is not there', undefined],
    ['that is an order', { ...record, kind: 'order' as const }],
    ['past its deadline by the clock of the ledger', { ...record, expiresAt: 999 }],
  ])('%s finds nothing', async (_, one) => {
    held = { epoch: 1, nowMs: 999, records: [one] };
    expect(await confirm(principal('ADMIN'))).toEqual(gone);
    expect([orders.length, written.size]).toEqual([0, 0]);
  });

  it.each([
    ['fenced', 'sale-fenced'],
    ['not_admitted', 'dependency-unavailable'],
  ] as const)('waits while the ledger is %s', async (answer, code) => {
    held = answer;
    await expect(confirm()).rejects.toMatchObject({ code });
  });
});
