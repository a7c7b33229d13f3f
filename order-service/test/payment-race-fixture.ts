import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import type { Order } from '@quicksale/shared/orders';
import { createSystemRandom } from '@quicksale/shared/process';
import type { HoldRecord } from '@quicksale/shared/stock-ledger';
import { forEachAbreast, newId } from '@quicksale/shared/testing';
import { cancelOrder } from '../src/orders/cancel-order.ts';
import { changeOrder, type Repay } from '../src/orders/change-order.ts';
import { createUnitReleaser } from '../src/outbox/release-units.ts';
import { confirmPayment, type ConfirmPaymentResult } from '../src/payments/confirm-payment.ts';
import { reviewPayment } from '../src/payments/follow-payment.ts';
import { createMongoPaymentEvents } from '../src/payments/mongo-payment-events.ts';
import {
  createMongoPaymentStore,
  createPaymentIndexes,
} from '../src/payments/mongo-payment-store.ts';
import { openPayment } from '../src/payments/open-payment.ts';
import type { ProviderEvent } from '../src/payments/payment-provider.ts';
import type { Payment } from '../src/payments/payment.ts';
import { receiveEvent, type ReceiveEventDeps } from '../src/payments/receive-event.ts';
import { refundPayment, type RefundPaymentResult } from '../src/payments/refund-payment.ts';
import { repayOrder } from '../src/payments/repay-order.ts';
import {
  createMongoSimulatedPayments,
  createSimulatedPaymentIndexes,
} from '../src/payments/simulator/mongo-simulated-payments.ts';
import { createSimulator } from '../src/payments/simulator/simulator.ts';
import { openHolds, type HeldSale, type HoldFixture } from './hold-fixture.ts';
import { expectOrderBalance } from './payment-books.ts';

export const price = 4999;
export const rounds = Number(process.env.RACE_ROUNDS ?? 30);
/** Rounds that run at the same time, each on an order of its own. */
const abreast = 20;

export interface Racer {
  sale: HeldSale;
  record: HoldRecord;
  order: Order;
}

export interface PaymentRaces {
  holds: HoldFixture;
  use: ReceiveEventDeps;
  confirm(racer: Racer, method?: string, digest?: string): Promise<ConfirmPaymentResult['status']>;
  /** Confirms, and forgets that the provider may have been away. */
  tryConfirm(racer: Racer, method: string): Promise<void>;
  cancel(racer: Racer, quantity?: number): Promise<string>;
  expire(racer: Racer): Promise<void>;
  refund(racer: Racer, amount?: number, digest?: string): Promise<RefundPaymentResult['status']>;
  tell(racer: Racer, eventId?: string): Promise<void>;
  read(racer: Racer): Promise<{ order: Order; payment: Payment }>;
  /**
   * The same race over many orders of two units; then all that was left undone is looked at once, and
   * the books of provider, payments, orders and ledger are compared.
   */
  race(
    name: string,
    contenders: (racer: Racer) => (() => Promise<unknown>)[],
    outcome: (racer: Racer, results: unknown[]) => Promise<string>,
    prepare?: (racer: Racer) => Promise<unknown>,
  ): Promise<Record<string, number>>;
  stop(): Promise<void>;
}

/** The use cases of payments on real stores, with webhooks that take no way over the network. */
export async function openPaymentRaces(name: string): Promise<PaymentRaces> {
  const holds = await openHolds(name);
  const { mongo, orders, deps } = holds;
  await Promise.all([createPaymentIndexes(mongo), createSimulatedPaymentIndexes(mongo)]);
  const news: Promise<void>[] = [];
  const send = (event: object) => receiveEvent(use, event as ProviderEvent);
  const provider = createSimulator({
    store: createMongoSimulatedPayments(mongo),
    webhooks: {
      send,
      sendLater: (event, _delayMs, times) => {
        for (let time = 0; time < times; time += 1)
          news.push(sometimeSoon().then(() => send(event)));
      },
    },
    secret: 's',
    delays: { delayMs: 0, lateMs: 0 },
    clock: deps.clock,
    random: createSystemRandom(),
  });
  const repay: Repay = async (due) => {
    for (const { id } of due) await repayOrder(use, id);
  };
  const change = {
    ...{ ...deps, orders, repay },
    releaseUnits: createUnitReleaser({ returnUnits: deps.returnUnits, orders, log: deps.log }),
    shipUnits: async () => new Map(),
  };
  const use: ReceiveEventDeps = {
    ...{ provider, orders, clock: deps.clock, log: deps.log },
    payments: createMongoPaymentStore(mongo),
    events: createMongoPaymentEvents(mongo),
    changeOrder: (order, decide) => changeOrder(change, order, decide),
  };

  const read: PaymentRaces['read'] = async ({ order: { id } }) => {
    const payment = await use.payments.find(id);
    if (!payment) throw new Error(`no payment ${id}`);
    return { payment, order: await holds.read(id) };
  };

  const confirm: PaymentRaces['confirm'] = async ({ order }, methodToken = 'sim_ok', digest) => {
    const wish = { userId: order.userId, paymentId: order.id, methodToken };
    return (await confirmPayment(use, { ...wish, digest: digest ?? newId() })).status;
  };

  return {
    holds,
    use,
    read,
    confirm,
    tryConfirm: async (racer, method) => {
      await confirm(racer, method).catch(() => undefined);
    },
    cancel: async ({ order }, quantity) => {
      const [item] = order.items;
      const { status } = await cancelOrder(
        { ...change, clock: deps.clock, early: { complete: async () => false } },
        {
          ...{ userId: order.userId, orderId: order.id, digest: newId(), fingerprint: 'f' },
          ...(quantity && item && { units: [{ productId: item.productId, quantity }] }),
        },
      );
      return status;
    },
    expire: ({ record, sale: { saleId } }) => holds.expire([{ saleId, orderId: record.orderId }]),
    refund: async ({ order }, amount, digest = newId()) => {
      const wish = { paymentId: order.id, reason: 'r', by: 'support', digest };
      return (await refundPayment(use, { ...wish, ...(amount && { amount }) })).status;
    },
    tell: async ({ order }, id = newId()) => {
      const { payment } = await read({ order } as Racer);
      const intentId = payment.intents.at(-1)?.id;
      await receiveEvent(use, { id, type: 'intent', ...(intentId && { intentId }) });
    },
    race: async (label, contenders, outcome, prepare) => {
      const sale = await holds.givenSale(rounds * 2);
      const counts: Record<string, number> = {};
      const records = await holds.place(sale, rounds, 2);
      await forEachAbreast(records, abreast, async (record) => {
        const racer = { sale, record, order: await holds.read(record.orderId) };
        expect((await openPayment(use, racer.order)).status).toBe('open');
        await prepare?.(racer);
        const starters = contenders(racer).sort(() => Math.random() - 0.5);
        const results = await Promise.all(
          starters.map(async (start) => {
            await sometimeSoon();
            return start();
          }),
        );
        const came = await outcome(racer, results);
        counts[came] = (counts[came] ?? 0) + 1;
      });
      await Promise.all(news);
      await forEachAbreast(records, abreast, ({ orderId }) => reviewPayment(use, orderId));
      const { orders: all, held } = await holds.books(sale);
      expect(all).toHaveLength(rounds);
      await forEachAbreast(all, abreast, (order) => expectOrderBalance(mongo, order));
      const unpaid = all.filter(({ status }) => status === 'PENDING');
      // A paid hold has no deadline any more, and one that is over is none.
      expect(held).toBe(unpaid.reduce((sum, { units }) => sum + (units?.length ?? 0), 0));
      const seen = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
      process.stdout.write(`${label}: ${rounds} races: ${seen.sort().join(', ')}\n`);
      return counts;
    },
    stop: async () => {
      await Promise.all(news);
      await holds.stop();
    },
  };
}

/** Lets somebody else go first, now and then. */
async function sometimeSoon(): Promise<void> {
  if (Math.random() < 0.5) await sleep(Math.random() * 400);
}
