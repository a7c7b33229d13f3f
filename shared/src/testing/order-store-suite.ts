import { describe, expect, it } from '@jest/globals';
import { applyFact, asCreated } from '../orders/apply-fact.ts';
import type { InventoryFact } from '../orders/facts.ts';
import type { Order } from '../orders/order.ts';
import type { MerchantOrdersFilter, OrderStore } from '../orders/order-store.ts';
import { givenOrder, newId } from './orders.ts';

/** What every order store has to do; run against the one in memory and the one in MongoDB. */
export function orderStoreSuite(store: () => OrderStore): void {
  const resultFor = (order: Order): InventoryFact => ({
    type: 'inventory-result',
    cause: `${order.id}:result`,
    outboxId: `${order.id}:1`,
    outcome: 'RESERVED',
    paymentRequired: false,
    at: new Date('2026-01-02T03:04:05.678Z'),
  });

  function confirmation(order: Order) {
    const outcome = applyFact(asCreated(order.id, 'NONE', `${order.id}:1`), resultFor(order));
    if (outcome.kind !== 'changed') throw new Error(outcome.kind);
    return { id: order.id, change: outcome.change };
  }

  async function read(order: Order): Promise<Order> {
    const [found] = await store().findByIds([order.id]);
    if (!found) throw new Error('not stored');
    return found;
  }

  describe('insertMany', () => {
    it('stores each order as it is', async () => {
      const order = givenOrder();
      expect(await store().insertMany([order])).toEqual([{ kind: 'inserted' }]);
      expect(await read(order)).toEqual(order);
    });

    it('lets everybody in but those that conflict on id, digest or unit', async () => {
      const first = givenOrder();
      await store().insertMany([first]);
      const sameDigest = { ...givenOrder(), idempotencyDigest: first.idempotencyDigest };
      const sameUnit = { ...givenOrder(), units: first.units };
      const batch = [givenOrder(), first, sameDigest, givenOrder(), sameUnit] as Order[];
      const kinds = (await store().insertMany(batch)).map(({ kind }) => kind);
      expect(kinds).toEqual(['inserted', 'conflict', 'conflict', 'inserted', 'conflict']);
    });

    it('lets exactly one of parallel writers of one unit in', async () => {
      const wish = { saleId: newId(), productId: newId(), units: [7] };
      const outcomes = await Promise.all(
        Array.from({ length: 8 }, () => store().insertMany([givenOrder(wish)])),
      );
      expect(outcomes.flat().filter(({ kind }) => kind === 'inserted')).toHaveLength(1);
    });
  });

  describe('findRelated', () => {
    it('finds by id, digest and unit', async () => {
      const [a, b, c] = [givenOrder(), givenOrder(), givenOrder()];
      await store().insertMany([a, b, c, givenOrder()]);
      const found = await store().findRelated({
        ids: [a.id],
        digests: [b.idempotencyDigest ?? ''],
        units: [c.units?.[0] ?? ''],
      });
      expect(found.map(({ id }) => id).sort()).toEqual([a.id, b.id, c.id].sort());
    });
  });

  describe('findOwn and listOwn', () => {
    it("does not find another user's order", async () => {
      const order = givenOrder();
      await store().insertMany([order]);
      expect(await store().findOwn(order.userId, order.id)).toEqual(order);
      expect(await store().findOwn(newId(), order.id)).toBeUndefined();
    });

    it('pages newest first, by filter', async () => {
      const userId = newId();
      const orders = Array.from({ length: 5 }, () => givenOrder({ userId }));
      await store().insertMany([...orders, givenOrder()]);
      const ids = orders
        .map(({ id }) => id)
        .sort()
        .reverse();
      const first = await store().listOwn(userId, { limit: 3 });
      expect(first.orders.map(({ id }) => id)).toEqual(ids.slice(0, 3));
      const rest = await store().listOwn(userId, { limit: 3, before: first.next ?? '' });
      expect(rest.orders.map(({ id }) => id)).toEqual(ids.slice(3));
      expect(rest.next).toBeUndefined();
      const none = await store().listOwn(userId, { limit: 3, status: 'CONFIRMED' });
      expect(none.orders).toEqual([]);
    });
  });

  describe('listOfMerchant', () => {
    const ofMerchant = (merchantId: string, rest: Partial<Order> = {}): Order => ({
      ...givenOrder(),
      merchantId,
      ...rest,
    });
    const newestFirst = (orders: readonly Order[]) =>
      orders
        .map(({ id }) => id)
        .sort()
        .reverse();

    async function listAll(filter: Omit<MerchantOrdersFilter, 'limit'>, limit: number) {
      const pages: string[][] = [];
      let before: string | undefined;
      do {
        const page = await store().listOfMerchant({ ...filter, limit, ...(before && { before }) });
        pages.push(page.orders.map(({ id }) => id));
        before = page.next;
      } while (before);
      return pages;
    }

    it('pages through the orders of one merchant, newest first, however old they are', async () => {
      const merchantId = newId();
      const hour = 3_600_000;
      const ages = [0, 1, 2, 30 * 24, 31 * 24, 20 * 365 * 24].map((hours) => hours * hour);
      const own = ages.map((age) => {
        const second = Math.floor((Date.now() - age) / 1_000).toString(16);
        return ofMerchant(merchantId, { id: second.padStart(8, '0') + newId().slice(8) });
      });
      const house = { ...givenOrder({ house: { by: newId(), reason: 'damage' } }), merchantId };
      await store().insertMany([...own, ofMerchant(newId()), house]);
      const pages = await listAll({ merchantId }, 4);
      expect(pages).toEqual([newestFirst(own).slice(0, 4), newestFirst(own).slice(4)]);
      expect(await listAll({ merchantId: newId() }, 4)).toEqual([[]]);
    });

    it('filters by status, sale and time', async () => {
      const [merchantId, saleId] = [newId(), newId()];
      const at = (day: number) => ({ createdAt: new Date(Date.UTC(2026, 1, day)) });
      const dated = (day: number, rest: Partial<Order> = {}) =>
        ofMerchant(merchantId, {
          ...at(day),
          id: Math.floor(Date.UTC(2026, 1, day) / 1_000).toString(16) + newId().slice(8),
          ...rest,
        });
      const [first, second, third] = [dated(1), dated(2, { status: 'SHIPPED' }), dated(3)];
      const elsewhere = { ...dated(2, { saleId }), status: 'SHIPPED' } as const;
      await store().insertMany([first, second, third, elsewhere]);
      const find = async (filter: Omit<MerchantOrdersFilter, 'limit'>) =>
        (await listAll({ merchantId, ...filter }, 10)).flat();
      expect(await find({})).toEqual(newestFirst([first, second, third, elsewhere]));
      expect(await find({ status: 'SHIPPED' })).toEqual(newestFirst([second, elsewhere]));
      expect(await find({ status: 'SHIPPED', saleId })).toEqual([elsewhere.id]);
      expect(await find({ saleId })).toEqual([elsewhere.id]);
      expect(await find({ status: 'REFUNDED' })).toEqual([]);
      const [from, to] = [at(2).createdAt, at(3).createdAt];
      expect(await find({ from })).toEqual(newestFirst([second, elsewhere, third]));
      expect(await find({ to })).toEqual(newestFirst([first, second, elsewhere]));
      expect(await find({ from, to })).toEqual(newestFirst([second, elsewhere]));
    });

    it('shows those of all merchants to whoever names none', async () => {
      const saleId = newId();
      const orders = [ofMerchant(newId(), { saleId }), ofMerchant(newId(), { saleId })];
      await store().insertMany(orders);
      expect((await listAll({ saleId }, 1)).flat()).toEqual(newestFirst(orders));
    });
  });

  describe('an order of the house', () => {
    const house = { by: newId(), reason: 'damage' };

    it('is shown to nobody, whoever it is booked on', async () => {
      const userId = newId();
      const own = givenOrder({ userId });
      const ofTheHouse = givenOrder({ userId, house });
      await store().insertMany([own, ofTheHouse]);
      expect(await read(ofTheHouse)).toEqual(ofTheHouse);
      expect(await store().findOwn(userId, ofTheHouse.id)).toBeUndefined();
      const { orders } = await store().listOwn(userId, { limit: 10 });
      expect(orders.map(({ id }) => id)).toEqual([own.id]);
    });

    it('fills no page of its user', async () => {
      const userId = newId();
      const own = [givenOrder({ userId }), givenOrder({ userId })];
      const ofTheHouse = Array.from({ length: 4 }, () => givenOrder({ userId, house }));
      await store().insertMany([...own, ...ofTheHouse]);
      const page = await store().listOwn(userId, { limit: 2 });
      expect(page.orders.map(({ id }) => id).sort()).toEqual(own.map(({ id }) => id).sort());
      expect(page.next).toBeUndefined();
    });

    it('owns its units like any other', async () => {
      const first = givenOrder({ house, units: [1, 2] });
      await store().insertMany([first]);
      const second = { ...givenOrder({ house }), units: first.units?.slice(1) } as Order;
      expect(await store().insertMany([second])).toEqual([{ kind: 'conflict' }]);
    });

    it('loses exactly the marks of units that have left, and keeps the units', async () => {
      const order = givenOrder({ house, units: [1, 2, 3] });
      await store().insertMany([order]);
      const [first = '', ...rest] = order.units ?? [];
      await store().finishShipping([{ id: order.id, units: [first] }]);
      expect(await read(order)).toMatchObject({ shipping: rest, units: order.units });
      await store().finishShipping([{ id: order.id, units: [first] }]);
      expect((await read(order)).shipping).toEqual(rest);
      await Promise.all(
        rest.map((unit) => store().finishShipping([{ id: order.id, units: [unit] }])),
      );
      const found = await read(order);
      expect(found).not.toHaveProperty('shipping');
      expect(found).toMatchObject({ units: order.units, version: 1, outboxAt: order.outboxAt });
    });
  });

  describe('applyChanges', () => {
    it('writes state, history and outbox of orders that have the version', async () => {
      const order = givenOrder();
      await store().insertMany([order]);
      const changes = [confirmation(order)];
      expect(await store().applyChanges(changes)).toEqual({ matched: 1 });
      expect(await store().applyChanges(changes)).toEqual({ matched: 0 });
      const found = await read(order);
      expect(found).toMatchObject({ status: 'CONFIRMED', inventoryStatus: 'RESERVED', version: 2 });
      expect(found.history.map(({ version }) => version)).toEqual([1, 2]);
      expect(found).not.toHaveProperty('outbox');
      expect(found).not.toHaveProperty('outboxAt');
    });

    it('lets exactly one of parallel writers change a version', async () => {
      const order = givenOrder();
      await store().insertMany([order]);
      const results = await Promise.all(
        Array.from({ length: 8 }, () => store().applyChanges([confirmation(order)])),
      );
      expect(results.filter(({ matched }) => matched === 1)).toHaveLength(1);
      expect((await read(order)).history).toHaveLength(2);
    });
  });

  describe('a cancelled order', () => {
    const cancel = (order: Order) => {
      const outcome = applyFact(order, { type: 'cancel', by: order.userId, at: new Date(0) });
      if (outcome.kind !== 'changed') throw new Error(outcome.kind);
      return { id: order.id, change: outcome.change };
    };

    it('gives its units up in the same write, for the ledger to take back', async () => {
      const order = givenOrder({ units: [4, 5] });
      await store().insertMany([order]);
      await store().applyChanges([cancel(order)]);
      const found = await read(order);
      expect(found).toMatchObject({
        status: 'CANCELLED',
        inventoryStatus: 'RELEASED',
        releasing: order.units,
        outbox: [{ id: `${order.id}:1` }, { id: `${order.id}:2`, version: 2 }],
      });
      expect(found).not.toHaveProperty('units');
      // Others may own these units now.
      const next = { ...givenOrder(), units: order.units };
      expect(await store().insertMany([next])).toEqual([{ kind: 'inserted' }]);
    });

    it('loses exactly the marks that are finished', async () => {
      const order = givenOrder({ units: [1, 2] });
      await store().insertMany([order]);
      await store().applyChanges([cancel(order)]);
      const [first = '', second = ''] = order.units ?? [];
      await store().finishRelease([{ id: order.id, units: [first] }]);
      expect((await read(order)).releasing).toEqual([second]);
      await store().finishRelease([{ id: order.id, units: [first, second] }]);
      expect(await read(order)).not.toHaveProperty('releasing');
    });
  });

  describe('an order of which some units are cancelled', () => {
    const cancelOne = async (order: Order) => {
      const now = await read(order);
      const productId = now.items[0]?.productId ?? '';
      const units = [{ productId, quantity: 1 }];
      const fact = { type: 'cancel', by: order.userId, at: new Date(0), units } as const;
      const outcome = applyFact(now, fact);
      if (outcome.kind !== 'changed') throw new Error(outcome.kind);
      return { id: order.id, change: outcome.change };
    };

    it('keeps the others, and no empty list when the last one goes', async () => {
      const order = givenOrder({ units: [4, 5, 6] });
      await store().insertMany([order]);
      const [low = '', middle = '', high = ''] = order.units ?? [];
      await store().applyChanges([await cancelOne(order)]);
      expect(await read(order)).toMatchObject({
        status: 'PENDING',
        units: [low, middle],
        releasing: [high],
        version: 2,
        items: order.items,
        outbox: [{ id: `${order.id}:1` }, { id: `${order.id}:2` }],
      });
      await store().finishRelease([{ id: order.id, units: [high] }]);
      await store().applyChanges([await cancelOne(order)]);
      await store().applyChanges([await cancelOne(order)]);
      const found = await read(order);
      expect(found).toMatchObject({ status: 'CANCELLED', releasing: [middle, low], version: 4 });
      expect(found).not.toHaveProperty('units');
    });

    it('lets two releases end in either order', async () => {
      const order = givenOrder({ units: [4, 5, 6] });
      await store().insertMany([order]);
      const [, middle = '', high = ''] = order.units ?? [];
      await store().applyChanges([await cancelOne(order)]);
      await store().applyChanges([await cancelOne(order)]);
      expect((await read(order)).releasing).toEqual([high, middle]);
      await store().finishRelease([{ id: order.id, units: [middle] }]);
      expect((await read(order)).releasing).toEqual([high]);
      await store().finishRelease([{ id: order.id, units: [high] }]);
      expect(await read(order)).not.toHaveProperty('releasing');
    });
  });

  describe('outbox', () => {
    it('names orders that are due, and moves each for one scanner only', async () => {
      const order = givenOrder();
      await store().insertMany([order]);
      const now = new Date(order.createdAt.getTime() + 60_000);
      const due = await store().findOutboxDue(now, 1_000);
      expect(due.map(({ id }) => id)).toContain(order.id);
      const later = new Date(now.getTime() + 10_000);
      await store().rescheduleOutbox([{ order, at: later, tries: 1 }]);
      // A second scanner that saw the old time changes nothing.
      await store().rescheduleOutbox([{ order, at: new Date(0), tries: 9 }]);
      const found = await read(order);
      expect(found.outboxAt).toEqual(later);
      expect(found.outboxTries).toBe(1);
      await store().rescheduleOutbox([{ order: found, at: undefined, tries: 2 }]);
      expect(await read(order)).not.toHaveProperty('outboxAt');
    });

    it('counts orders that wait for something since long ago', async () => {
      const before = new Date('2026-03-01');
      const at = (updatedAt: string) => ({ ...givenOrder(), updatedAt: new Date(updatedAt) });
      const [old, served, young] = [at('2026-02-01'), at('2026-02-01'), at('2026-03-02')];
      const moving = { ...at('2026-02-01'), outbox: [], releasing: ['a:b:1'] };
      const counted = await store().countStuck(before);
      await store().insertMany([old, served, young, moving]);
      await store().pullOutbox([{ id: served.id, outboxIds: [`${served.id}:1`] }]);
      expect(await store().countStuck(before)).toBe(counted + 2);
      await store().finishRelease([{ id: moving.id, units: ['a:b:1'] }]);
      expect(await store().countStuck(before)).toBe(counted + 1);
    });

    it('pulls served entries without touching the rest', async () => {
      const order = givenOrder();
      await store().insertMany([order]);
      await store().pullOutbox([{ id: order.id, outboxIds: [`${order.id}:1`] }]);
      const found = await read(order);
      expect(found.outbox).toEqual([]);
      expect(found.outboxAt).toEqual(order.outboxAt);
    });
  });
}
