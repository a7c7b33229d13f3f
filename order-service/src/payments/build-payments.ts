import { createHmac } from 'node:crypto';
import { ConfigError } from '@quicksale/shared/config';
import type { Logger } from '@quicksale/shared/log';
import type { Mongo } from '@quicksale/shared/mongo';
import type { Order, OrderStore } from '@quicksale/shared/orders';
import { repeat, type Clock, type Part, type Random } from '@quicksale/shared/process';
import type { OrderServiceConfig } from '../config.ts';
import { changeOrder, type ChangeOrderDeps, type Repay } from '../orders/change-order.ts';
import { checkPayments } from './check-payments.ts';
import { createMongoPaymentEvents, createPaymentEventIndexes } from './mongo-payment-events.ts';
import { createMongoPaymentMethods, createPaymentMethodIndexes } from './mongo-payment-methods.ts';
import { createMongoPaymentStore, createPaymentIndexes } from './mongo-payment-store.ts';
import type { PaymentDeps } from './payment-deps.ts';
import type { PaymentProvider } from './payment-provider.ts';
import { repayOrder } from './repay-order.ts';
import type { ReceiveEventDeps } from './receive-event.ts';
import type { MethodStore } from './payment-store.ts';
import {
  createMongoSimulatedPayments,
  createSimulatedPaymentIndexes,
} from './simulator/mongo-simulated-payments.ts';
import { createSimulator } from './simulator/simulator.ts';
import { createWebhookSender } from './simulator/webhook-sender.ts';
import { createStripeProvider } from './stripe/stripe-provider.ts';

export interface Payments {
  /** What the routes need beside what intake has. */
  routes: ReceiveEventDeps & { methods: MethodStore };
  repay: Repay;
  /** Indexes, what the provider needs, and the runner. */
  parts: Part[];
}

/** A provider that does not answer is not to hold up what else the outbox scan has to do. */
const longestRepayMs = 2_000;
const repaidAbreast = 20;

interface BuildDeps extends Omit<ChangeOrderDeps, 'repay' | 'orders'> {
  config: OrderServiceConfig;
  mongo: Mongo;
  orders: OrderStore;
  clock: Clock;
  random: Random;
  log: Logger;
  /** Of this service's own server. */
  port: () => number;
}

/** Payments as a whole: stores, provider, use cases, and what runs by itself. */
export function buildPayments(deps: BuildDeps): Payments {
  const { mongo, orders, clock, log } = deps;
  const { provider, parts } = chooseProvider(deps);
  const repayOne = ({ id }: Order) =>
    repayOrder(use, id).catch((error: unknown) => {
      log.warn({ err: error, orderId: id }, 'money goes back later');
    });
  const repay: Repay = async (due) => {
    const until = clock.now() + longestRepayMs;
    // The marks of those that it does not get to bring the outbox scan back to them.
    for (let from = 0; from < due.length && clock.now() < until; from += repaidAbreast)
      await Promise.all(due.slice(from, from + repaidAbreast).map(repayOne));
  };
  const change = { ...deps, repay };
  const use: PaymentDeps = {
    ...{ orders, clock, log, provider },
    payments: createMongoPaymentStore(mongo),
    changeOrder: (order, decide) => changeOrder(change, order, decide),
  };
  return {
    routes: {
      ...use,
      events: createMongoPaymentEvents(mongo),
      methods: createMongoPaymentMethods(mongo),
    },
    repay,
    parts: [
      {
        name: 'payment indexes',
        start: async () => {
          await createPaymentIndexes(mongo);
          await createPaymentEventIndexes(mongo);
          await createPaymentMethodIndexes(mongo);
        },
        stop: async () => undefined,
      },
      ...parts,
      repeat({
        name: 'payment check',
        repair: 'payment-check',
        everyMs: 1_000,
        log,
        work: () => checkPayments(use),
      }),
    ],
  };
}

function chooseProvider(deps: BuildDeps): { provider: PaymentProvider; parts: Part[] } {
  const { config } = deps;
  if (config.paymentProvider === undefined && config.nodeEnv === 'production')
    throw new ConfigError(['PAYMENT_PROVIDER is not set: production has no default']);
  switch (config.paymentProvider) {
    case 'stripe':
      return { provider: buildStripe(deps), parts: [] };
    case 'simulator':
    case undefined:
      return buildSimulator(deps);
  }
}

function buildStripe({ config, log }: BuildDeps): PaymentProvider {
  return createStripeProvider({
    secretKey: config.stripeSecretKey,
    webhookSecret: config.stripeWebhookSecret,
    apiUrl: config.stripeApiUrl,
    log,
  });
}

function buildSimulator(deps: BuildDeps): { provider: PaymentProvider; parts: Part[] } {
  const { config, mongo, clock, random, log } = deps;
  // It sends its webhooks to this very service, so that both sides have the key already.
  const secret = createHmac('sha256', config.internalKey)
    .update('simulated webhooks')
    .digest('hex');
  const own = () => `http://127.0.0.1:${deps.port()}/api/payments/webhook/simulator`;
  const webhooks = createWebhookSender({
    url: () => config.simulatorWebhookUrl ?? own(),
    ...{ secret, clock, log },
  });
  const provider = createSimulator({
    store: createMongoSimulatedPayments(mongo),
    delays: { delayMs: config.simulatorDelayMs, lateMs: config.simulatorLateMs },
    ...{ webhooks, secret, clock, random },
  });
  const part: Part = {
    name: 'payment simulator',
    start: () => createSimulatedPaymentIndexes(mongo),
    stop: () => webhooks.stop(),
  };
  return { provider, parts: [part] };
}
