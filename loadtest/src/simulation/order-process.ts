import { createExpirySweep } from '@quicksale/order-service/src/expiry/sweep-due.ts';
import { updateStatus } from '@quicksale/order-service/src/fulfilment/update-status.ts';
import { placeHouseOrder } from '@quicksale/order-service/src/house-orders/place-house-order.ts';
import { createEarlyAnswers } from '@quicksale/order-service/src/intake/early-answers.ts';
import { createGroupRecorder } from '@quicksale/order-service/src/intake/group-recorder.ts';
import { createOrderNumbers } from '@quicksale/order-service/src/intake/order-numbers.ts';
import { placeOrder } from '@quicksale/order-service/src/intake/place-order.ts';
import { recordHolds, type Hold } from '@quicksale/order-service/src/intake/record-holds.ts';
import { createReserveBatcher } from '@quicksale/order-service/src/intake/reserve-batcher.ts';
import { createUnrecordedSweep } from '@quicksale/order-service/src/intake/sweep-unrecorded.ts';
import { cancelOrder } from '@quicksale/order-service/src/orders/cancel-order.ts';
import { changeOrder } from '@quicksale/order-service/src/orders/change-order.ts';
import { createRelay } from '@quicksale/order-service/src/outbox/relay.ts';
import {
  createUnitReleaser,
  createUnitReturn,
} from '@quicksale/order-service/src/outbox/release-units.ts';
import { scanOutbox } from '@quicksale/order-service/src/outbox/scan-outbox.ts';
import { createUnitShipper } from '@quicksale/order-service/src/outbox/ship-units.ts';
import { checkPayments } from '@quicksale/order-service/src/payments/check-payments.ts';
import { confirmPayment } from '@quicksale/order-service/src/payments/confirm-payment.ts';
import { openPayment } from '@quicksale/order-service/src/payments/open-payment.ts';
import type { PaymentDeps } from '@quicksale/order-service/src/payments/payment-deps.ts';
import { receiveEvent } from '@quicksale/order-service/src/payments/receive-event.ts';
import { refundPayment } from '@quicksale/order-service/src/payments/refund-payment.ts';
import { repayOrder } from '@quicksale/order-service/src/payments/repay-order.ts';
import { recordSale } from '@quicksale/order-service/src/rebuild/record-sale.ts';
import { orderCreatedEvent, type Order } from '@quicksale/shared/orders';
import type { Life } from './scheduler.ts';
import { mongoLine, ordersOver, pagesOfSale, paymentsOver } from './simulated-mongo.ts';
import { paymentEventsOver, providerOver } from './simulated-provider.ts';
import type { Surroundings } from './surroundings.ts';

export type OrderProcess = ReturnType<typeof startOrderProcess>;

/**
 * order-service in one of its lives: its use cases, put together as its composition root does it, on
 * lines that may break.
 */
export function startOrderProcess(shop: Surroundings, life: Life) {
  const { world, mongo, bus: topics } = shop;
  const { log } = world;
  const clock = { now: () => world.now() + shop.skewMs(life) };
  const line = mongoLine(world, life);
  const orders = ordersOver(world, line, mongo);
  const { ledger } = shop.ledger.connect(life);
  const bus = topics.connect(life);
  const { random } = world;

  const batcher = createReserveBatcher({
    ledger,
    defer: (flush) => world.post(`${life.name} ends a turn`, flush, life),
    after: (delayMs, work) => world.after(delayMs, `${life.name} strikes off`, work, life),
  });
  const relay = createRelay({ bus, log });
  const returnUnits = createUnitReturn({ ledger, log });
  const releaseUnits = createUnitReleaser({ returnUnits, orders, log });
  const arrivals = { arrive: () => Promise.reject(new Error('nothing moves between sales here')) };
  const shipUnits = createUnitShipper({ ledger, orders, log, arrivals });
  const payments: PaymentDeps = {
    ...{ orders, clock, log },
    payments: paymentsOver(line, mongo),
    provider: providerOver(shop, life, clock),
    changeOrder: (order, decide) => changeOrder(change, order, decide),
  };
  const repay = async (due: readonly Order[]) => {
    await Promise.all(due.map(({ id }) => repayOrder(payments, id).catch(() => undefined)));
  };
  const change = { orders, ledger, relay, releaseUnits, shipUnits, repay };

  const recorder = createGroupRecorder({
    record: async (holds: readonly Hold[]) => {
      const outcomes = await recordHolds({ orders, ledger, log }, holds);
      const recorded = outcomes.filter((outcome) => outcome.kind === 'recorded');
      for (const { order } of recorded) batcher.noteRecorded(order.saleId, order.id);
      const announced = recorded.filter(({ order, isNew }) => isNew && order.kind === 'order');
      relay.send(announced.map(({ order }) => orderCreatedEvent(order)));
      return outcomes;
    },
    ...{ largestBatch: 200, mostUnits: 2_000, inFlightLimit: 2 },
  });
  const early = createEarlyAnswers({ recorder, log });
  const intake = {
    ...{ clock, random, orders, recorder, early, log },
    pricing: {
      termsOf: async () => undefined,
      takeDiscount: async () => ({ status: 'unknown_discount' as const }),
      giveBack: async () => undefined,
    },
    catalogue: { find: async () => shop.catalogue, forget: () => undefined },
    ledger: { ...ledger, reserve: batcher.reserve },
    numbers: createOrderNumbers(
      (count) =>
        line.write('numbers', () => {
          const first = mongo.numbers.next;
          mongo.numbers.next += count;
          return first;
        }),
      clock,
    ),
  };

  const { every } = world;
  every(
    life,
    'sweeps unrecorded holds',
    1_500,
    createUnrecordedSweep({ ledger, orders, recorder, log }),
  );
  every(
    life,
    'sweeps deadlines',
    1_000,
    createExpirySweep({
      ...{ ledger, orders, recorder, returnUnits, relay, clock, log },
      metrics: { noteReturned: () => undefined },
    }),
  );
  every(life, 'scans the outbox', 1_500, () =>
    scanOutbox({
      ...{ orders, bus, clock, log, releaseUnits, shipUnits, repay },
      backlog: async () => 0,
    }),
  );
  if (shop.hasPayments) every(life, 'checks payments', 2_000, () => checkPayments(payments));

  return {
    life,
    placeOrder: (input: Parameters<typeof placeOrder>[1]) => placeOrder(intake, input),
    placeHouseOrder: (request: Parameters<typeof placeHouseOrder>[1]) =>
      placeHouseOrder({ ...intake, holds: ledger, shipUnits }, request),
    cancelOrder: (input: Parameters<typeof cancelOrder>[1]) =>
      cancelOrder({ ...change, clock, early }, input),
    pay: async (userId: string, orderId: string, digest: string, methodToken: string) => {
      const order = await orders.findOwn(userId, orderId);
      if (!order) return { status: 'not_found' as const };
      const opened = await openPayment(payments, order);
      if (opened.status !== 'open') return opened;
      return confirmPayment(payments, { userId, paymentId: orderId, methodToken, digest });
    },
    refund: (input: Parameters<typeof refundPayment>[1]) => refundPayment(payments, input),
    updateStatus: (...[principal, wish]: [Principal, Wish]) =>
      updateStatus({ ...change, clock }, principal, wish),
    receiveEvent: (event: Parameters<typeof receiveEvent>[1]) =>
      receiveEvent({ ...payments, events: paymentEventsOver(line, mongo) }, event),
    recordSale: (saleId: string) =>
      recordSale(
        {
          ...{ ledger, orders, recorder, clock, log },
          readSaleUnits: async (sale, productIds) => {
            const lastUnits = await line.read(
              'last units',
              () => new Map(productIds.map((id) => [id, shop.lastUnit(sale, id)])),
            );
            const owners = new Map<string, string>();
            for await (const page of pagesOfSale(line, mongo, sale))
              for (const { id, units = [] } of page) for (const unit of units) owners.set(unit, id);
            return { owners, lastUnits };
          },
        },
        saleId,
      ),
  };
}

type Principal = Parameters<typeof updateStatus>[1];
type Wish = Parameters<typeof updateStatus>[2];
