import { amountDue, isUnpaid, type Order } from '@quicksale/shared/orders';
import { readOrder, type PaymentDeps } from './payment-deps.ts';
import type { ProviderIntent } from './payment-provider.ts';
import { keptOf, withIntent, type Payment } from './payment.ts';
import { repayOrder, rest, tellPaid } from './repay-order.ts';

/** Writes down how an intent stands with its provider. */
export async function recordIntent(
  deps: PaymentDeps,
  paymentId: string,
  seen: ProviderIntent,
  how: 'answer' | 'look',
): Promise<Payment | undefined> {
  const now = deps.clock.now();
  const changed = await deps.payments.change(paymentId, (one) => withIntent(one, seen, how, now));
  return changed?.document;
}

/**
 * Brings to the order what its payment has come to, then sends back what is too much: all of it when
 * the order is over. Resolves to both as they are then.
 */
export async function followPayment(
  deps: PaymentDeps,
  payment: Payment,
  order: Order,
): Promise<{ payment: Payment; order: Order }> {
  const told = await tellOrder(deps, payment, order);
  if (keptOf(payment) > amountDue(told) || told.repaying) await repayOrder(deps, payment.id);
  const after = (await rest(deps, payment.id)) ?? payment;
  return { payment: after, order: (await readOrder(deps, payment.id)) ?? told };
}

async function tellOrder(deps: PaymentDeps, payment: Payment, order: Order): Promise<Order> {
  const { userId: by, status, attempt, declineCode: reason } = payment;
  const at = new Date(deps.clock.now());
  if (status === 'succeeded') return tellPaid(deps, payment, order);
  if (status !== 'declined' || !attempt || !isUnpaid(order)) return order;
  const cause = `decline:${attempt.digest}`;
  return (
    await deps.changeOrder(order, () => ({
      ...{ type: 'decline', cause, by, at },
      ...(reason && { reason }),
    }))
  ).order;
}

/**
 * Finds out how every open intent of a payment stands, and sees to what follows. An intent that nobody
 * is to pay any more is cancelled; what it took all the same goes back. Harmless at any time.
 */
export async function reviewPayment(deps: PaymentDeps, id: string): Promise<void> {
  const found = await deps.payments.find(id);
  const order = found && (await readOrder(deps, id));
  if (!found || !order) return;
  let payment: Payment = found;
  for (const intent of found.intents) {
    if (!intent.isOpen) continue;
    const isLast = intent === found.intents.at(-1);
    const isWanted = isLast && isUnpaid(order) && payment.status !== 'succeeded';
    const seen: ProviderIntent = isWanted
      ? await deps.provider.readIntent(intent.id)
      : await deps.provider.cancelIntent(intent.id);
    payment = (await recordIntent(deps, id, seen, 'look')) ?? payment;
  }
  await followPayment(deps, payment, order);
  // Refunds that are on their way, whatever the order says.
  await repayOrder(deps, id);
  await rest(deps, id);
}
