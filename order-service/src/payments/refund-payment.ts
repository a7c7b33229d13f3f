import type { Order } from '@quicksale/shared/orders';
import { faultPoint } from '@quicksale/shared/process';
import { readOrder, type PaymentDeps } from './payment-deps.ts';
import { keptOf, withRefund, type Payment } from './payment.ts';
import { repayOrder, rest, tellPaid } from './repay-order.ts';

export interface RefundPaymentInput {
  paymentId: string;
  /** Of a merchant, who refunds orders of their own only. */
  merchantId?: string;
  /** Minor units; all that is kept when absent. */
  amount?: number;
  reason: string;
  by: string;
  /** Of the Idempotency-Key. */
  digest: string;
}

export type RefundPaymentResult =
  | { status: 'refunded'; payment: Payment }
  | { status: 'not_found' }
  /** Nothing is kept for it. */
  | { status: 'nothing_kept'; order: Order }
  | { status: 'too_much'; order: Order; kept: number };

/**
 * Sends money back on somebody's word. All that is kept ends the order; less is a goodwill: the order
 * goes on. Under one key it happens once, whoever dies in its midst: the refund is named by the key.
 */
export async function refundPayment(
  deps: PaymentDeps,
  input: RefundPaymentInput,
): Promise<RefundPaymentResult> {
  const { paymentId, merchantId } = input;
  const payment = await deps.payments.find(paymentId);
  const found = payment && (await readOrder(deps, paymentId));
  if (!payment || !found) return { status: 'not_found' };
  if (merchantId !== undefined && payment.merchantId !== merchantId) return { status: 'not_found' };
  const order = await tellPaid(deps, payment, found);
  const refused = isBegun(payment, order, input)
    ? undefined
    : await begin(deps, payment, order, input);
  if (refused) return refused;
  await repayOrder(deps, paymentId);
  return { status: 'refunded', payment: (await rest(deps, paymentId)) ?? payment };
}

const causeOf = ({ digest }: RefundPaymentInput) => `refund:${digest}`;

/** Whether this key has had its effect before: what is left is to see it through. */
function isBegun(payment: Payment, order: Order, input: RefundPaymentInput): boolean {
  const wanted = causeOf(input);
  return (
    payment.refunds.some(({ id }) => id === wanted) ||
    order.history.some(({ cause }) => cause === wanted)
  );
}

async function begin(
  deps: PaymentDeps,
  payment: Payment,
  order: Order,
  input: RefundPaymentInput,
): Promise<RefundPaymentResult | undefined> {
  const { amount, reason, by } = input;
  const now = deps.clock.now();
  const kept = keptOf(payment);
  if (kept === 0) return { status: 'nothing_kept', order };
  const endsOrder = amount === undefined || amount === kept;
  if (endsOrder) {
    const cause = causeOf(input);
    const at = new Date(now);
    const fact = { type: 'refund', by, reason, cause, at } as const;
    const { kind } = await deps.changeOrder(order, () => fact);
    if (kind !== 'impossible') return undefined;
    // It is over already: what is due goes back by itself, and what is left then was refused once.
    await repayOrder(deps, payment.id);
  }
  let refused: RefundPaymentResult | undefined;
  let isRest = false;
  const changed = await deps.payments.change(payment.id, (one) => {
    const left = keptOf(one);
    refused = undefined;
    isRest = false;
    if (one.refunds.some(({ id }) => id === causeOf(input))) return undefined;
    if (left === 0) refused = { status: 'nothing_kept', order };
    else if (amount !== undefined && amount > left)
      refused = { status: 'too_much', order, kept: left };
    // Another refund has made it all that is left.
    else isRest = !endsOrder && amount === left;
    if (refused || isRest) return undefined;
    const id = causeOf(input);
    return withRefund(one, { id, amount: amount ?? left, reason, by, cause: 'request', now });
  });
  if (isRest && changed) return begin(deps, changed.document, order, input);
  if (!refused) faultPoint('after-refund-entry');
  return refused;
}
