import { amountDue, isUnpaid, type Order } from '@quicksale/shared/orders';
import { followPayment, recordIntent } from './follow-payment.ts';
import { requireProvider, type PaymentDeps } from './payment-deps.ts';
import { soon, type Payment } from './payment.ts';

export type OpenPaymentResult =
  | { status: 'open'; payment: Payment; isNew: boolean }
  /** It is paid, over, or was never to be paid. */
  | { status: 'not_payable'; order: Order };

/** Whether a buyer can pay an order now. */
export const isPayable = (order: Order): boolean =>
  isUnpaid(order) && order.paymentStatus !== 'NONE';

/**
 * Opens the payment of an order: the document first, so that whatever the provider tells later finds
 * it, then the provider's intent. What costs nothing is paid without the provider.
 */
export async function openPayment(deps: PaymentDeps, order: Order): Promise<OpenPaymentResult> {
  if (!isPayable(order)) return { status: 'not_payable', order };
  const isNew = await deps.payments.insert(newPayment(deps, order));
  const there = await deps.payments.find(order.id);
  if (!there) throw new Error(`the payment of order ${order.id} is gone`);
  requireProvider(deps, there);
  const payment = await ensureIntent(deps, there, order);
  if (payment.status !== 'succeeded') return { status: 'open', payment, isNew };
  return { status: 'open', payment: (await followPayment(deps, payment, order)).payment, isNew };
}

function newPayment({ provider, clock }: PaymentDeps, order: Order): Payment {
  const at = new Date(clock.now());
  return {
    id: order.id,
    userId: order.userId,
    ...(order.merchantId && { merchantId: order.merchantId }),
    provider: provider.name,
    status: 'open',
    amount: amountDue(order),
    currency: order.currency,
    intents: [],
    attempts: 0,
    refunds: [],
    version: 1,
    expiresAt: order.expiresAt,
    checks: 0,
    createdAt: at,
    updatedAt: at,
  };
}

/**
 * The payment with an intent of just what the order costs now. An earlier one of another amount is
 * cancelled; if it was paid in the same moment, that counts. While an attempt is under way nothing
 * changes.
 */
export async function ensureIntent(
  deps: PaymentDeps,
  found: Payment,
  order: Order,
): Promise<Payment> {
  const { provider, payments, clock } = deps;
  const amount = amountDue(order);
  const isBusy = found.status !== 'open' && found.status !== 'declined';
  const last = found.intents.at(-1);
  if (isBusy || (last?.isOpen && last.amount === amount)) return found;
  if (amount === 0) {
    const free = (one: Payment) =>
      one.version === found.version
        ? soon({ ...one, amount, status: 'succeeded' }, clock.now())
        : undefined;
    return (await payments.change(found.id, free))?.document ?? found;
  }
  if (last?.isOpen) {
    const seen = await provider.cancelIntent(last.id);
    const payment = await recordIntent(deps, found.id, seen, 'look');
    if (payment && payment.status === 'succeeded') return payment;
  }
  const { id, userId, currency } = found;
  const count = found.intents.length;
  const made = await provider.createIntent({
    ...{ paymentId: id, userId, amount, currency },
    // Whoever asks at the same time gets the same one.
    idempotencyKey: `${id}:${count}:${amount}`,
  });
  const changed = await payments.change(id, (one) =>
    one.intents.length === count
      ? soon(
          {
            ...one,
            amount,
            intents: [...one.intents, { id: made.id, amount, captured: 0, isOpen: true }],
          },
          clock.now(),
        )
      : undefined,
  );
  return changed?.document ?? found;
}
