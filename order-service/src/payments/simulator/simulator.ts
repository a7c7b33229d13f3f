import { z } from 'zod';
import { AppError, unavailable } from '@quicksale/shared/errors';
import type { Clock, Random } from '@quicksale/shared/process';
import type { PaymentProvider, ProviderEvent } from '../payment-provider.ts';
import type { VersionedDocuments } from '../payment-store.ts';
import {
  behaviourOf,
  cancelled,
  charged,
  refunded,
  stateOf,
  type SimulatedPayment,
} from './simulated-payment.ts';
import type { WebhookSender } from './webhook-sender.ts';
import { signatureHeader, verifyWebhook } from './webhook-signature.ts';

export interface SimulatorDeps {
  /** Its own: nobody else writes them. */
  store: VersionedDocuments<SimulatedPayment> & {
    findByKey(key: string): Promise<SimulatedPayment | undefined>;
  };
  webhooks: Pick<WebhookSender, 'send' | 'sendLater'>;
  secret: string;
  /** How long a delayed payment takes, and one that comes late. */
  delays: { delayMs: number; lateMs: number };
  clock: Clock;
  random: Random;
}

/** A webhook leaves a moment after the answer, as a rule. */
const webhookAfterMs = 50;

const event = z.object({
  id: z.string().min(1).max(100),
  type: z.enum(['intent', 'refund', 'other']),
  intentId: z.string().optional(),
  paymentId: z.string().optional(),
});

function parseEvent(text: string): ProviderEvent {
  try {
    return event.parse(JSON.parse(text));
  } catch (error) {
    throw new AppError('validation-failed', { message: 'This is not an event', cause: error });
  }
}

/**
 * A payment provider for development and tests: the token decides what happens. All that it knows is
 * in the store, so that several processes agree and a restart forgets nothing but webhooks under way.
 */
export function createSimulator(deps: SimulatorDeps): PaymentProvider {
  const { store, clock, random, webhooks, delays } = deps;

  async function change(
    id: string,
    decide: (payment: SimulatedPayment) => SimulatedPayment | undefined,
  ): Promise<{ payment: SimulatedPayment; isChanged: boolean }> {
    const changed = await store.change(id, decide);
    if (!changed) throw new Error(`the simulator has no intent ${id}`);
    return { payment: changed.document, isChanged: changed.isChanged };
  }

  const stateNow = (payment: SimulatedPayment) => stateOf(payment, clock.now());

  async function announce(payment: SimulatedPayment, token: string): Promise<void> {
    const { webhooks: times = 1, webhookFirst } = behaviourOf(token) ?? {};
    const news: ProviderEvent = {
      id: `sim_evt_${random.objectId(clock.now())}`,
      type: 'intent',
      intentId: payment.id,
      paymentId: payment.paymentId,
    };
    const succeedsAt = payment.attempts.at(-1)?.succeedsAt?.getTime() ?? 0;
    if (webhookFirst) await webhooks.send(news);
    else webhooks.sendLater(news, Math.max(0, succeedsAt - clock.now()) + webhookAfterMs, times);
  }

  return {
    name: 'simulator',

    createIntent: async ({ paymentId, amount, currency, idempotencyKey: key }) => {
      const now = clock.now();
      const made: SimulatedPayment = {
        id: `sim_${random.objectId(now)}`,
        ...{ key, paymentId, amount, currency, attempts: [], refunds: [], version: 1 },
        createdAt: new Date(now),
      };
      if (await store.insert(made)) return stateNow(made);
      const known = await store.findByKey(key);
      if (!known) throw unavailable('The payment provider is busy');
      return stateNow(known);
    },

    confirmIntent: async ({ intentId, methodToken: token, idempotencyKey: key }) => {
      const { payment, isChanged } = await change(intentId, (one) =>
        charged(one, { key, token }, clock.now(), delays),
      );
      if (isChanged) await announce(payment, token);
      if (isChanged && behaviourOf(token)?.losesAnswer)
        throw unavailable('The payment provider did not answer in time');
      return stateNow(payment);
    },

    readIntent: async (id) => stateNow((await change(id, () => undefined)).payment),

    cancelIntent: async (id) =>
      stateNow((await change(id, (one) => cancelled(one, clock.now()))).payment),

    refund: async ({ intentId, amount, refundId: id }) => {
      // Who asks has seen the money; by the clock of this process it may still be on its way.
      const { payment: seen } = await change(intentId, () => undefined);
      if (stateNow(seen).status === 'processing')
        throw unavailable('The payment provider has not got this money yet');
      const { payment } = await change(intentId, (one) =>
        refunded(one, { id, amount }, clock.now()),
      );
      const isDone = payment.refunds.some((one) => one.id === id);
      return { id: `sim_re_${id}`, status: isDone ? 'succeeded' : 'failed' };
    },

    saveMethod: async ({ token }) => {
      if (!behaviourOf(token))
        throw new AppError('validation-failed', { message: 'The provider knows no such token' });
      return { token, brand: 'simulator', last4: '0000' };
    },
    removeMethod: async () => undefined,

    readEvent: (rawBody, header) => {
      verifyWebhook(deps.secret, rawBody, header(signatureHeader), clock.now());
      return parseEvent(rawBody.toString('utf8'));
    },
  };
}
