import type Stripe from 'stripe';
import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import type { ProviderEvent } from '../payment-provider.ts';

const toleranceSeconds = 300;

/** As much of an event as is heeded. */
const stripeEvent = z.object({
  id: z.string().min(1).max(255),
  type: z.string(),
  data: z.object({
    object: z.object({
      id: z.string().optional(),
      metadata: z.record(z.string(), z.string()).nullish(),
      payment_intent: z.union([z.string(), z.object({ id: z.string() })]).nullish(),
    }),
  }),
});

/** What a webhook of Stripe says; throws AppError as the port tells. */
export function readStripeEvent(
  webhooks: Stripe['webhooks'],
  request: { rawBody: Buffer; signature: string | undefined; secret: string },
): ProviderEvent {
  const event = stripeEvent.safeParse(verified(webhooks, request));
  // Signed, and still not an event: nothing of it can be used, and a repeat changes nothing.
  if (!event.success)
    throw new AppError('validation-failed', { message: 'This is not an event of Stripe' });
  const { id, type, data } = event.data;
  if (type.startsWith('payment_intent.')) {
    const paymentId = data.object.metadata?.paymentId;
    const intentId = data.object.id;
    return { id, type: 'intent', ...(intentId && { intentId }), ...(paymentId && { paymentId }) };
  }
  const { payment_intent: intent } = data.object;
  const intentId = typeof intent === 'string' ? intent : intent?.id;
  const isRefund = type.startsWith('refund.') || type === 'charge.refund.updated';
  return isRefund && intentId ? { id, type: 'refund', intentId } : { id, type: 'other' };
}

function verified(
  webhooks: Stripe['webhooks'],
  {
    rawBody,
    signature,
    secret,
  }: { rawBody: Buffer; signature: string | undefined; secret: string },
): unknown {
  try {
    return webhooks.constructEvent(rawBody, signature ?? '', secret, toleranceSeconds);
  } catch (cause) {
    // The SDK throws errors of several kinds for headers that are malformed.
    throw new AppError('webhook-signature-invalid', { cause });
  }
}
