import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ledgerKeys } from '@quicksale/shared/stock-ledger';
import { eventually } from '@quicksale/shared/testing';
import { readTopic, snapshotOf, storedOrders } from './books.ts';
import { createSale, expectBalanced, stockIn } from './sale-books.ts';
import { startServiceProcess, type ServiceProcess } from './service-process.ts';
import { startSystem, type System } from './system.ts';

/** A buyer, a product of his own in a sale of its own, and the order that he wants. */
interface Buyer {
  userId: string;
  token: string;
  key: string;
  productId: string;
  saleId: string;
  merchantToken: string;
}

/** What a crash left of an order, seen while nothing mends it. */
interface Left {
  orders: number;
  records: number;
  unrecorded: boolean;
  status?: string;
  releasing?: boolean;
}

interface Row {
  row: string;
  point: string;
  does: 'place' | 'cancel';
  /** Undefined where the crash may fall on either side. */
  left: Left | undefined;
  /** The buyer is the one who comes again, with the same key; otherwise nobody does. */
  isRetried?: boolean;
  /** Without these the order stays as it is. */
  mendedBy?: 'unrecorded-sweep' | 'outbox-scan';
}

const stock = 5;
/** Longer than the sweeps wait before they look at anything. */
const noticeMs = 7_000;
const repairMs = 40_000;
const offInOrders = 'unrecorded-sweep,outbox-scan';
// The auditor mends some of the others' work, too.
const offInInventory = 'movement-runner,sale-runner,auditor,rebuild';
const held: Left = { orders: 0, records: 1, unrecorded: true };
const placed: Left = { orders: 1, records: 1, unrecorded: true, status: 'PENDING' };
const cancelled: Left = {
  orders: 1,
  records: 1,
  unrecorded: false,
  status: 'CANCELLED',
  releasing: true,
};

/** order-service dies right after these steps. */
const rows: readonly Row[] = [
  {
    row: 'row 1: a request inside a service is sent again',
    point: 'after-request',
    does: 'place',
    left: { orders: 0, records: 0, unrecorded: false },
    isRetried: true,
  },
  {
    row: 'row 2: a hold is recorded when its key comes again',
    point: 'after-reserve',
    does: 'place',
    left: held,
    isRetried: true,
  },
  {
    row: 'row 2: a hold is recorded by the sweep',
    point: 'after-reserve',
    does: 'place',
    left: held,
    mendedBy: 'unrecorded-sweep',
  },
  {
    row: 'row 3: an insert without answer is completed when its key comes again',
    point: 'after-insert-sent',
    does: 'place',
    left: undefined,
    isRetried: true,
  },
  {
    row: 'row 3: an insert without answer is completed by the sweep',
    point: 'after-insert-sent',
    does: 'place',
    left: undefined,
    mendedBy: 'unrecorded-sweep',
  },
  {
    row: 'row 4: an order without answer is answered when its key comes again',
    point: 'after-insert',
    does: 'place',
    left: placed,
    isRetried: true,
  },
  {
    row: 'row 4: an order without answer is struck off by the sweep',
    point: 'after-insert',
    does: 'place',
    left: placed,
    mendedBy: 'unrecorded-sweep',
  },
  {
    row: 'row 5: an order that Kafka was not told of is announced by the scan',
    point: 'after-answer',
    does: 'place',
    left: { ...placed, unrecorded: false },
    mendedBy: 'outbox-scan',
  },
  {
    row: 'row 6: an order that was announced needs nothing',
    point: 'after-created-sent',
    does: 'place',
    left: undefined,
  },
  {
    row: 'row 9: a cancellation that nobody was told of is announced by the scan',
    point: 'after-release-finished',
    does: 'cancel',
    left: { ...cancelled, records: 0, releasing: false },
    mendedBy: 'outbox-scan',
  },
  {
    row: 'row 10: units of a written cancellation are released by the scan',
    point: 'after-cancel-written',
    does: 'cancel',
    left: cancelled,
    mendedBy: 'outbox-scan',
  },
  {
    row: 'row 11: the mark of released units is taken off by the scan',
    point: 'after-release',
    does: 'cancel',
    left: { ...cancelled, records: 0 },
    mendedBy: 'outbox-scan',
  },
];

/** By an expectation, and not because nobody could be asked. */
const expectFailed = (error: unknown) =>
  expect(String(error)).toMatch(/expect\(|there is no order|no such frame/);

describe('fault 2: who repairs what, on running processes', () => {
  let system: System;
  const byHand = new Map<string, ServiceProcess>();
  const buyers = new Map<string, Buyer>();
  /** How the very check of a row failed while its repair was off; undefined if it did not. */
  const noticed = new Map<string, unknown>();

  const buyerOf = (row: string): Buyer => {
    const buyer = buyers.get(row);
    if (!buyer) throw new Error('a row without buyer');
    return buyer;
  };

  async function givenBuyer(row: string): Promise<Buyer> {
    const { productId, saleId, token: merchantToken } = await system.givenProduct(stock);
    const buyer = { ...system.signIn(), key: 'repair', productId, saleId, merchantToken };
    buyers.set(row, buyer);
    return buyer;
  }

  const place = (buyer: Buyer) => system.api.placeOrder(buyer);

  async function onlyOrderOf({ saleId }: Buyer) {
    const [order, ...others] = await storedOrders(system, saleId);
    expect(others).toEqual([]);
    if (!order) throw new Error('there is no order');
    return order;
  }

  const cancel = async (buyer: Buyer) =>
    system.api.call(`/api/orders/${(await onlyOrderOf(buyer)).id}/cancel`, {
      method: 'POST',
      token: buyer.token,
      key: 'give-back',
    });

  /** Runs a service by hand until something else is to run in its place. */
  async function runByHand(name: string, settings: Record<string, string>) {
    await byHand.get(name)?.stop();
    await system.supervisor.stopPart(name);
    const started = await startServiceProcess(system, name, settings);
    byHand.set(name, started);
    return started;
  }

  async function runNormally(name: string) {
    await byHand.get(name)?.stop();
    byHand.delete(name);
    await system.supervisor.start([name]);
  }

  /** The process must come to its end at the point, and nothing is to be mended meanwhile. */
  async function dyingAt(
    point: string,
    name: string,
    off: string,
    work: () => Promise<unknown>,
  ): Promise<void> {
    const doomed = await runByHand(name, { QUICKSALE_FAULT: point, QUICKSALE_REPAIRS_OFF: off });
    await work().catch(() => undefined);
    const limit = setTimeout(() => void doomed.stop(), 20_000);
    expect([point, ...(await doomed.ended)]).toEqual([point, null, 'SIGKILL']);
    clearTimeout(limit);
  }

  async function isUnrecorded({ saleId }: Buyer, orderId: string): Promise<boolean> {
    const { unrecorded } = ledgerKeys(system.namespace, 16).sale(saleId);
    return (await system.ledgerRedis.client.zscore(unrecorded, `${saleId}/${orderId}`)) !== null;
  }

  async function whatIsLeft(buyer: Buyer) {
    const [orders, { records }] = await Promise.all([
      storedOrders(system, buyer.saleId),
      snapshotOf(system, buyer.saleId),
    ]);
    const orderId = orders[0]?.id ?? records[0]?.orderId ?? '';
    const { status, releasing } = (orders[0] ?? {}) as { status?: string; releasing?: unknown };
    return {
      orders: orders.length,
      records: records.length,
      unrecorded: await isUnrecorded(buyer, orderId),
      ...(status !== undefined && { status }),
      releasing: releasing !== undefined,
    };
  }

  const notifiedVersions = async (orderId: string): Promise<string[]> => {
    const notifications = system.mongo.db().collection('notifications');
    const found = await notifications.find({ 'data.orderId': orderId }).toArray();
    return found.map(({ _id }) => String(_id)).sort();
  };

  /** What must be true of a row in the end, whatever died: nothing lost, nothing twice, nothing open. */
  async function check(buyer: Buyer, status = 'CONFIRMED'): Promise<void> {
    const order = await onlyOrderOf(buyer);
    const version = status === 'CANCELLED' ? 3 : 2;
    expect(order).toMatchObject({ userId: buyer.userId, status, version });
    // Each step once, and its owner was told of it once.
    const told = Array.from({ length: version - 1 }, (_, n) => `${order.id}:${n + 2}`);
    expect(await notifiedVersions(order.id)).toEqual(told);
    expect(order).not.toHaveProperty('releasing');
    expect(order.outbox ?? []).toEqual([]);
    expect(await isUnrecorded(buyer, order.id)).toBe(false);
    await expectBalanced(system, buyer.saleId);
    const { products } = await snapshotOf(system, buyer.saleId);
    const available = status === 'CANCELLED' ? stock : stock - 1;
    expect(products[buyer.productId]).toMatchObject({ last: stock, available, gone: 0 });
  }

  const checkOf = (row: Row) => () =>
    check(buyerOf(row.row), row.does === 'cancel' ? 'CANCELLED' : 'CONFIRMED');

  /** A reader that the notifier serves from what is stored, not from what it happens to push. */
  async function checkResumed(buyer: Buyer): Promise<void> {
    const { id } = await onlyOrderOf(buyer);
    const socket = await system.openSocket(system.socketUrl.direct, buyer.token);
    try {
      socket.send({ type: 'resume', data: { lastSeq: 0 } });
      const frame = await socket.waitFor(({ type }) => type === 'order.update', 2_000);
      expect(frame.data).toMatchObject({ orderId: id, status: 'CONFIRMED', version: 2 });
    } finally {
      socket.close();
    }
  }

  async function checkAllotted({ saleId, productId }: Buyer): Promise<void> {
    const sales = system.mongo.db().collection('sales');
    const sale = await sales.findOne({ kind: 'timed', merchantId: saleId });
    expect(sale?.stage).toBe('ready');
    const timedSaleId = String(sale?._id);
    expect(await stockIn(system, timedSaleId, productId)).toBe(3);
    expect(await stockIn(system, saleId, productId)).toBe(stock - 3);
    await expectBalanced(system, saleId);
    await expectBalanced(system, timedSaleId);
  }

  async function checkRestocked({ saleId, productId }: Buyer): Promise<void> {
    expect(await stockIn(system, saleId, productId)).toBe(stock + 2);
    await expectBalanced(system, saleId);
  }

  /** Notes how a check fails now that every repair that runs has had its time. */
  async function notice(row: string, holds: () => Promise<void>) {
    const failure = await holds().catch((error: unknown) => error);
    noticed.set(row, failure);
  }

  beforeAll(async () => {
    system = await startSystem({ name: 'repairs' });
    const named = ['row 7', 'row 8', 'row 8 off', 'row 15', 'row 15: saga', 'row 16'];
    for (const row of [...rows.map((one) => one.row), ...named]) await givenBuyer(row);
    for (const row of rows.filter(({ does }) => does === 'cancel')) {
      expect((await place(buyerOf(row.row))).status).toBe(201);
      await eventually(() => check(buyerOf(row.row)));
    }

    await dyingAt('after-sale-written', 'inventory-service', offInInventory, () => {
      const { productId, merchantToken: token } = buyerOf('row 15: saga');
      return createSale(system, { productId, token, allotted: 3 });
    });
    await dyingAt('after-movement-written', 'inventory-service', offInInventory, () => {
      const { productId, merchantToken } = buyerOf('row 15');
      return system.api.call(`/api/inventory/products/${productId}/restock`, {
        token: merchantToken,
        key: 'delivery',
        body: { units: 2, reason: 'restock' },
      });
    });
    expect((await place(buyerOf('row 7'))).status).toBe(201);
    await dyingAt('after-result-sent', 'inventory-service', offInInventory, async () => {});
    const inventory = runByHand('inventory-service', { QUICKSALE_REPAIRS_OFF: offInInventory });
    await Promise.all([inventory, eventually(() => check(buyerOf('row 7')))]);

    await dyingAt('after-status-written', 'kafka-processor', '', () => place(buyerOf('row 8')));
    expect(await whatIsLeft(buyerOf('row 8'))).toMatchObject({ status: 'CONFIRMED' });
    const processor = runNormally('kafka-processor');

    await dyingAt('after-notification-stored', 'notifier-service', '', () =>
      place(buyerOf('row 16')),
    );
    const notifier = runByHand('notifier-service', { QUICKSALE_REPAIRS_OFF: 'resume' });

    for (const row of rows) {
      const buyer = buyerOf(row.row);
      await dyingAt(row.point, 'order-service', offInOrders, async () => {
        const answer = await (row.does === 'cancel' ? cancel(buyer) : place(buyer));
        if (row.point === 'after-answer') expect(answer.status).toBe(201);
      });
      const left = await whatIsLeft(buyer);
      if (row.left) expect({ row: row.row, ...left }).toMatchObject({ row: row.row, ...row.left });
    }
    await runByHand('order-service', { QUICKSALE_REPAIRS_OFF: offInOrders });
    await Promise.all([processor, notifier]);

    await sleep(noticeMs);
    const withRepair = rows.filter(({ mendedBy }) => mendedBy);
    await Promise.all([
      ...withRepair.map((row) => notice(row.row, checkOf(row))),
      notice('row 15', () => checkRestocked(buyerOf('row 15'))),
      notice('row 15: saga', () => checkAllotted(buyerOf('row 15: saga'))),
    ]);
    // What was redelivered is stored by now: from here on only a resume brings it.
    await eventually(() => check(buyerOf('row 16')));
    await notice('row 16', () => checkResumed(buyerOf('row 16')));
  }, 300_000);
  afterAll(async () => {
    await Promise.all([...byHand.values()].map((one) => one.stop()));
    await system?.stop();
  }, 60_000);

  it.each(rows.filter(({ isRetried }) => isRetried))(
    '$row: same order, same bytes',
    async (row) => {
      const buyer = buyerOf(row.row);
      const { records } = await snapshotOf(system, buyer.saleId);
      const first = await place(buyer);
      expect([first.status, first.body.code]).toEqual([201, undefined]);
      const orderId = (first.body.order as { _id: string })._id;
      if (row.point !== 'after-request')
        expect(records.map((record) => record.orderId)).toEqual([orderId]);
      const second = await place(buyer);
      expect([second.status, second.text]).toEqual([201, first.text]);
      expect(second.headers.get('idempotent-replayed')).toBe('true');
      expect((await onlyOrderOf(buyer)).id).toBe(orderId);
    },
  );

  it.each([
    ...rows.filter(({ mendedBy }) => mendedBy),
    { row: 'row 15' },
    { row: 'row 15: saga' },
    { row: 'row 16' },
  ])('$row: the failure is noticed while the repair is off', ({ row }) => {
    expectFailed(noticed.get(row));
  });

  describe('with every repair on', () => {
    beforeAll(async () => {
      const names = ['order-service', 'inventory-service', 'notifier-service'];
      await Promise.all(names.map(runNormally));
    }, 60_000);

    it.each(rows)(
      '$row',
      async (row) => {
        await eventually(checkOf(row), repairMs);
      },
      repairMs + 20_000,
    );

    it(
      'row 7: a result that was sent twice changes its order once',
      async () => {
        const buyer = buyerOf('row 7');
        const { id } = await onlyOrderOf(buyer);
        await eventually(async () => {
          const results = await readTopic(system, 'inventory.result');
          expect(results.filter(({ orderId }) => orderId === id).length).toBeGreaterThan(1);
        }, repairMs);
        await eventually(() => check(buyer), repairMs);
      },
      repairMs + 20_000,
    );

    it(
      'row 8: a status that was written and not sent is sent when the result comes again',
      () => eventually(() => check(buyerOf('row 8')), repairMs),
      repairMs + 20_000,
    );

    it(
      'row 15: units of a movement are raised by the runner',
      () => eventually(() => checkRestocked(buyerOf('row 15')), repairMs),
      repairMs + 20_000,
    );

    it(
      'row 15: the steps of an allotment go on',
      () => eventually(() => checkAllotted(buyerOf('row 15: saga')), repairMs),
      repairMs + 20_000,
    );

    it(
      'row 16: a notification that was stored and not pushed comes with a resume',
      () => eventually(() => checkResumed(buyerOf('row 16')), repairMs),
      repairMs + 20_000,
    );

    it('row 8: the failure is noticed while no status is sent again', async () => {
      const buyer = buyerOf('row 8 off');
      await dyingAt('after-status-written', 'kafka-processor', '', () => place(buyer));
      await runByHand('kafka-processor', { QUICKSALE_REPAIRS_OFF: 'status-repeat' });
      await sleep(4_000);
      await notice('row 8 off', () => check(buyer));
      expectFailed(noticed.get('row 8 off'));
      expect(await whatIsLeft(buyer)).toMatchObject({ status: 'CONFIRMED' });
      expect(await notifiedVersions((await onlyOrderOf(buyer)).id)).toEqual([]);
    }, 60_000);
  });
});
