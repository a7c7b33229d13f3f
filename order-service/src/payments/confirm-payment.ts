import type { Order } from '@quicksale/shared/orders';
import { faultPoint } from '@quicksale/shared/process';
import { followPayment, recordIntent } from './follow-payment.ts';
import { ensureIntent, isPayable } from './open-payment.ts';
import { readOrder, requireProvider, type PaymentDeps } from './payment-deps.ts';
import { mostAttempts, withAttempt, type Payment } from './payment.ts';

export interface ConfirmPaymentInput {
  userId: string;
  paymentId: string;
  methodToken: string;
  /** Of the Idempotency-Key; it goes on to the provider. */
  digest: string;
}

export type ConfirmPaymentResult =
  | { status: 'paid'; payment: Payment }
  /** The provider will tell later. */
  | { status: 'processing'; payment: Payment }
  | { status: 'declined'; payment: Payment }
  | { status: 'not_found' }
  /** Paid already under another key, or over; money that was taken all the same has gone back. */
  | { status: 'not_payable'; order: Order; hasRepaid: boolean }
  | { status: 'in_progress' }
  | { status: 'too_many_attempts'; order: Order };

/**
 * Charges a buyer's method. That it is tried is written first, and what came of it before the order
 * hears of it: a crash in between is found by the payment's `checkAt`. The same key again goes to the
 * provider under the same key, and takes the money once.
 */
export async function confirmPayment(
  deps: PaymentDeps,
  { userId, paymentId, methodToken, digest }: ConfirmPaymentInput,
): Promise<ConfirmPaymentResult> {
  const { payments, provider, clock } = deps;
  // The order first: of one that is paid, the payment then says by which key.
  const order = await deps.orders.findOwn(userId, paymentId);
  const found = await payments.find(paymentId);
  if (found?.userId !== userId || !order) return { status: 'not_found' };
  if (found.status === 'succeeded' && found.attempt?.digest === digest)
    return outcome(deps, found, order);
  if (!isPayable(order)) return { status: 'not_payable', order, hasRepaid: false };
  const isAnother = found.attempt?.digest !== digest;
  if (isAnother && found.attempts >= mostAttempts) return { status: 'too_many_attempts', order };
  requireProvider(deps, found);
  const ready = await ensureIntent(deps, found, order);
  const intent = ready.intents.at(-1);
  // The money is there already, by whatever road.
  if (ready.status === 'succeeded' || !intent) return outcome(deps, ready, order);
  const begun = await payments.change(paymentId, (one) =>
    one.intents.at(-1)?.id === intent.id ? withAttempt(one, digest, clock.now()) : undefined,
  );
  if (!begun?.isChanged) return outcomeOfOther(deps, begun?.document ?? ready, digest);
  const seen = await provider.confirmIntent({
    ...{ intentId: intent.id, methodToken, userId },
    idempotencyKey: digest,
  });
  faultPoint('after-charge');
  const payment = await recordIntent(deps, paymentId, seen, 'answer');
  if (seen.status === 'succeeded') faultPoint('after-capture-written');
  return outcome(deps, payment ?? begun.document, order);
}

/** Nothing was begun: somebody else was first, or the order is over. */
async function outcomeOfOther(
  deps: PaymentDeps,
  payment: Payment,
  digest: string,
): Promise<ConfirmPaymentResult> {
  const order = await readOrder(deps, payment.id);
  if (!order) return { status: 'not_found' };
  const isOwn = payment.attempt?.digest === digest && payment.status !== 'confirming';
  if (isOwn) return outcome(deps, payment, order);
  if (!isPayable(order)) return { status: 'not_payable', order, hasRepaid: false };
  return { status: 'in_progress' };
}

async function outcome(
  deps: PaymentDeps,
  paid: Payment,
  found: Order,
): Promise<ConfirmPaymentResult> {
  const { payment, order } = await followPayment(deps, paid, found);
  if (payment.status === 'succeeded') {
    const isOwn = order.history.some(({ cause }) => cause === payment.id);
    return isOwn ? { status: 'paid', payment } : { status: 'not_payable', order, hasRepaid: true };
  }
  // Its intent was cancelled while it was under way.
  if (payment.status === 'open' && !isPayable(order))
    return { status: 'not_payable', order, hasRepaid: false };
  return { status: payment.status === 'declined' ? 'declined' : 'processing', payment };
}
