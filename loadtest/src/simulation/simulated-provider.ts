import type {
  PaymentProvider,
  ProviderEvent,
} from '@quicksale/order-service/src/payments/payment-provider.ts';
import type { PaymentEvents } from '@quicksale/order-service/src/payments/payment-store.ts';
import { createSimulator } from '@quicksale/order-service/src/payments/simulator/simulator.ts';
import type { Clock } from '@quicksale/shared/process';
import type { Life } from './scheduler.ts';
import type { Surroundings } from './surroundings.ts';
import {
  documentsOver,
  mongoLine,
  type MongoLine,
  type SimulatedMongo,
} from './simulated-mongo.ts';

/**
 * The payment simulator itself, at the other end of a line: a call may be lost on its way there or
 * back. What it keeps is its own; its clock is that of the process that it runs in.
 */
export function providerOver(shop: Surroundings, life: Life, clock: Clock): PaymentProvider {
  const { world, mongo } = shop;
  const provider: Life = { name: 'provider', isAlive: true };
  const inside = mongoLine(world, provider);
  const news = (event: object, delayMs: number) =>
    world.after(delayMs, 'a webhook', () => shop.tellNews(event as ProviderEvent));
  const simulator = createSimulator({
    store: {
      ...documentsOver(inside, 'intents', mongo.intents, 'provider', (made) =>
        [...mongo.intents.values()].some(({ key }) => key === made.key),
      ),
      findByKey: (key) =>
        inside.read(
          'intents.findByKey',
          () => [...mongo.intents.values()].find((one) => one.key === key),
          'provider',
        ),
    },
    webhooks: {
      send: async (event) => news(event, 0),
      sendLater: (event, delayMs, times) => {
        for (let sent = 0; sent < times; sent += 1) news(event, delayMs + sent);
      },
    },
    secret: '',
    delays: { delayMs: 1_000, lateMs: 8_000 },
    clock,
    random: world.random,
  });
  const overLine =
    <A extends unknown[], R>(name: string, ask: (...given: A) => Promise<R>) =>
    (...given: A) =>
      world.call({
        ...{ life, store: 'http', name: `provider.${name}`, mayBeLate: true },
        effect: () => ask(...given),
      });
  return {
    ...simulator,
    createIntent: overLine('createIntent', simulator.createIntent),
    confirmIntent: overLine('confirmIntent', simulator.confirmIntent),
    readIntent: overLine('readIntent', simulator.readIntent),
    cancelIntent: overLine('cancelIntent', simulator.cancelIntent),
    refund: overLine('refund', simulator.refund),
  };
}

export const paymentEventsOver = (
  line: MongoLine,
  { paymentEvents }: SimulatedMongo,
): PaymentEvents => ({
  receive: (id) =>
    line.write('events.receive', () => {
      const known = paymentEvents.get(id);
      if (!known) paymentEvents.set(id, { applied: false });
      return known?.applied !== true;
    }),
  markApplied: (id) =>
    line.write('events.markApplied', () => void paymentEvents.set(id, { applied: true })),
});
