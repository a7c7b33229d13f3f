import { reviewPayment } from './follow-payment.ts';
import type { PaymentDeps } from './payment-deps.ts';
import type { ProviderEvent } from './payment-provider.ts';
import type { PaymentEvents } from './payment-store.ts';
import { soon, type Payment } from './payment.ts';

export interface ReceiveEventDeps extends PaymentDeps {
  events: PaymentEvents;
}

/**
 * Takes news from the provider. An event says no more than "look": how an intent stands, and what it
 * took, is read from the provider itself. So events may come twice, late and out of order.
 */
export async function receiveEvent(deps: ReceiveEventDeps, event: ProviderEvent): Promise<void> {
  if (event.type === 'other') return;
  const id = `${deps.provider.name}:${event.id}`;
  if (!(await deps.events.receive(id, new Date(deps.clock.now())))) return;
  const payment = await findPayment(deps, event);
  if (payment) await reviewPayment(deps, payment.id);
  else deps.log.warn({ eventId: id, intentId: event.intentId }, 'news of an unknown payment');
  await deps.events.markApplied(id, new Date(deps.clock.now()));
}

async function findPayment(
  deps: ReceiveEventDeps,
  { intentId, paymentId }: ProviderEvent,
): Promise<Payment | undefined> {
  if (intentId === undefined) return undefined;
  const known = await deps.payments.findByIntent(intentId);
  if (known || paymentId === undefined) return known;
  return adopt(deps, paymentId, intentId);
}

/** An intent that was made for a payment by a process that died before it could say so. */
async function adopt(
  { payments, provider, clock }: ReceiveEventDeps,
  paymentId: string,
  intentId: string,
): Promise<Payment | undefined> {
  if ((await payments.find(paymentId))?.provider !== provider.name) return undefined;
  const { amount } = await provider.readIntent(intentId);
  const orphan = { id: intentId, amount, captured: 0, isOpen: true };
  const changed = await payments.change(paymentId, (one) =>
    one.intents.some(({ id }) => id === intentId)
      ? undefined
      : // Before the others: the last one is what the buyer pays.
        soon({ ...one, intents: [orphan, ...one.intents] }, clock.now()),
  );
  return changed?.document;
}
