import type Stripe from 'stripe';
import { AppError } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { PaymentProvider } from '../payment-provider.ts';
import { createAskStripe, type Refusal } from './ask-stripe.ts';
import { createStripeClient, requireStripeSettings, type StripeSettings } from './stripe-client.ts';
import { readStripeEvent } from './stripe-event.ts';
import { toProviderIntent, toProviderRefund } from './stripe-intent.ts';
import { createStripeMethods } from './stripe-methods.ts';

/**
 * Payments by Stripe: PaymentIntents that are confirmed here, with a method that the buyer's browser
 * has left with Stripe. Throws ConfigError when a setting is missing; talks to nobody yet.
 */
export function createStripeProvider(
  options: StripeSettings & {
    log: Logger;
    /** Longest wait for one answer of Stripe. */
    timeoutMs?: number;
  },
): PaymentProvider {
  const { log, timeoutMs = 5_000 } = options;
  const { secretKey, webhookSecret, url } = requireStripeSettings(options);
  const stripe = createStripeClient({ secretKey, url, timeoutMs });
  const ask = createAskStripe({ secretKey, timeoutMs, log });
  const methods = createStripeMethods(stripe, ask);
  const readIntent = (intentId: string) => ask(() => stripe.paymentIntents.retrieve(intentId));
  /** It was paid or cancelled before: how it stands is the answer. */
  const readIfSettled = (intentId: string, { code }: Refusal) =>
    code === 'payment_intent_unexpected_state' || code === 'intent_unexpected_state'
      ? readIntent(intentId)
      : undefined;

  return {
    name: 'stripe',

    createIntent: async ({ paymentId, userId, amount, currency, idempotencyKey }) => {
      requireHundredths(currency);
      const intent = await ask(
        () =>
          stripe.paymentIntents.create(
            {
              amount,
              currency: currency.toLowerCase(),
              metadata: { paymentId, userId },
              automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
            },
            { idempotencyKey },
          ),
        ({ code, param }) => {
          if (code?.startsWith('amount_too_') || param === 'amount' || param === 'currency')
            throw new AppError('validation-failed', {
              message: 'This amount cannot be paid by card',
            });
          return undefined;
        },
      );
      return toProviderIntent(intent);
    },

    confirmIntent: async ({ intentId, methodToken, userId, idempotencyKey }) => {
      const method = await methods.require({ userId, token: methodToken });
      // Stripe charges a stored method for its owner only.
      const attached =
        method.customerId !== undefined &&
        (await ask(
          () => stripe.paymentIntents.update(intentId, { customer: method.customerId ?? '' }),
          (refusal) => readIfSettled(intentId, refusal),
        ));
      if (attached && ['succeeded', 'canceled', 'processing'].includes(attached.status))
        return toProviderIntent(attached);
      const confirmed = await ask(
        () =>
          stripe.paymentIntents.confirm(
            intentId,
            { payment_method: methodToken, error_on_requires_action: true },
            { idempotencyKey },
          ),
        (refusal) =>
          refusedIntent(refusal, () => readIntent(intentId)) ?? readIfSettled(intentId, refusal),
      );
      return toProviderIntent(confirmed);
    },

    readIntent: async (intentId) => toProviderIntent(await readIntent(intentId)),

    cancelIntent: async (intentId) =>
      toProviderIntent(
        await ask(
          () => stripe.paymentIntents.cancel(intentId),
          (refusal) => readIfSettled(intentId, refusal),
        ),
      ),

    refund: async ({ intentId, amount, refundId }) => {
      // Stripe forgets keys after a day; what a repeat after that finds is the refund itself.
      const before = await ask(async () => {
        const refunds = stripe.refunds.list({ payment_intent: intentId, limit: 100 });
        for await (const one of refunds) if (one.metadata?.refundId === refundId) return one;
        return undefined;
      });
      const refund =
        before ??
        (await ask(() =>
          stripe.refunds.create(
            { payment_intent: intentId, amount, metadata: { refundId } },
            { idempotencyKey: refundId },
          ),
        ));
      return toProviderRefund(refund);
    },

    saveMethod: methods.save,
    removeMethod: methods.remove,

    readEvent: (rawBody, header) =>
      readStripeEvent(stripe.webhooks, {
        rawBody,
        signature: header('stripe-signature'),
        secret: webhookSecret,
      }),
  };
}

/** An intent after a refused attempt; undefined when it was something else that was refused. */
function refusedIntent(
  refusal: Refusal,
  readIntent: () => Promise<Stripe.PaymentIntent>,
): Promise<Stripe.PaymentIntent> | undefined {
  if (refusal.type === 'StripeCardError') return withRefusal(refusal, readIntent);
  // A token that was good once and may not be charged again.
  if (refusal.param === 'payment_method')
    throw new AppError('validation-failed', { message: 'This payment method cannot be used' });
  return undefined;
}

/** With the error comes the intent as it was refused: a later attempt may have changed it since. */
async function withRefusal(
  { payment_intent: intent, code, decline_code: declineCode }: Refusal,
  readIntent: () => Promise<Stripe.PaymentIntent>,
): Promise<Stripe.PaymentIntent> {
  const refused = intent ?? (await readIntent());
  const last_payment_error = {
    ...refused.last_payment_error,
    type: 'card_error',
    code: code ?? 'card_declined',
    ...(declineCode && { decline_code: declineCode }),
  } as Stripe.PaymentIntent.LastPaymentError;
  return { ...refused, last_payment_error };
}

/** Money here has hundredths throughout; Stripe counts some currencies in other parts. */
function requireHundredths(currency: string): void {
  const { maximumFractionDigits } = new Intl.NumberFormat('en', {
    style: 'currency',
    currency,
  }).resolvedOptions();
  if (maximumFractionDigits !== 2)
    throw new AppError('validation-failed', { message: `${currency} cannot be paid by card` });
}
