import type Stripe from 'stripe';
import type { ProviderIntent, ProviderRefund } from '../payment-provider.ts';

/** An intent as the port tells it. */
export function toProviderIntent(intent: Stripe.PaymentIntent): ProviderIntent {
  const { id, amount, currency } = intent;
  // Of what a newer Stripe may say, only that it is not over is safe to believe.
  const status = intentStatuses[intent.status] ?? 'processing';
  const declineCode = status === 'open' && declineCodeOf(intent);
  return {
    id,
    status,
    amount,
    currency: currency.toUpperCase(),
    ...(declineCode && { declineCode }),
  };
}

const intentStatuses: Readonly<Record<string, ProviderIntent['status']>> = {
  requires_payment_method: 'open',
  requires_confirmation: 'open',
  requires_action: 'open',
  // Nothing is captured by hand here: whoever sees this sees it on its way.
  requires_capture: 'processing',
  processing: 'processing',
  succeeded: 'succeeded',
  canceled: 'cancelled',
};

function declineCodeOf({ status, last_payment_error: refusal }: Stripe.PaymentIntent) {
  // The buyer's bank wants to speak to the buyer, who is not led anywhere from here.
  if (status === 'requires_action') return 'authentication_required';
  return refusal?.decline_code ?? refusal?.code;
}

/** A refund as the port tells it. */
export const toProviderRefund = ({ id, status }: Stripe.Refund): ProviderRefund => ({
  id,
  status: refundStatuses[status ?? ''] ?? 'pending',
});

const refundStatuses: Readonly<Record<string, ProviderRefund['status']>> = {
  pending: 'pending',
  requires_action: 'pending',
  succeeded: 'succeeded',
  failed: 'failed',
  canceled: 'failed',
};
