import type { ProviderIntent } from '../payment-provider.ts';

/** What a token makes of an attempt to charge it. */
interface Behaviour {
  declineCode?: string;
  /** When it succeeds; at once when absent. */
  succeeds?: 'delayed' | 'late';
  /** How often its webhook is sent; once when absent. */
  webhooks?: number;
  /** The webhook is there before the answer. */
  webhookFirst?: true;
  /** The money is taken, and the answer gets lost. */
  losesAnswer?: true;
}

const behaviours = {
  sim_ok: {},
  sim_declined: { declineCode: 'card_declined' },
  sim_insufficient_funds: { declineCode: 'insufficient_funds' },
  sim_delayed: { succeeds: 'delayed' },
  sim_late: { succeeds: 'late' },
  sim_duplicate: { webhooks: 3 },
  sim_webhook_first: { webhookFirst: true },
  sim_answer_lost: { losesAnswer: true, webhooks: 0 },
} as const satisfies Record<string, Behaviour>;

export const behaviourOf = (token: string): Behaviour | undefined =>
  Object.hasOwn(behaviours, token) ? behaviours[token as keyof typeof behaviours] : undefined;

/** One attempt to charge a method. */
interface Attempt {
  key: string;
  token: string;
  declineCode?: string;
  /** When the money is there; it needs nobody to run at that time. */
  succeedsAt?: Date;
}

/** An intent as the simulator remembers it; how it stands follows from its times. */
export interface SimulatedPayment {
  id: string;
  /** Of its creation: the same key again is the same intent. */
  key: string;
  paymentId: string;
  amount: number;
  currency: string;
  attempts: readonly Attempt[];
  cancelledAt?: Date;
  refunds: readonly { id: string; amount: number }[];
  version: number;
  createdAt: Date;
}

const chargeOf = ({ attempts }: SimulatedPayment) =>
  attempts.find(({ succeedsAt }) => succeedsAt !== undefined);

export function stateOf(payment: SimulatedPayment, now: number): ProviderIntent {
  const { id, amount, currency, attempts, cancelledAt } = payment;
  const charge = chargeOf(payment)?.succeedsAt?.getTime();
  const declineCode = attempts.at(-1)?.declineCode;
  if (charge !== undefined)
    return { id, amount, currency, status: charge <= now ? 'succeeded' : 'processing' };
  if (cancelledAt) return { id, amount, currency, status: 'cancelled' };
  return { id, amount, currency, status: 'open', ...(declineCode && { declineCode }) };
}

/** Charges a token; undefined when this key was used before, or there is nothing to charge. */
export function charged(
  payment: SimulatedPayment,
  attempt: { key: string; token: string },
  now: number,
  delays: { delayMs: number; lateMs: number },
): SimulatedPayment | undefined {
  const isKnown = payment.attempts.some(({ key }) => key === attempt.key);
  if (isKnown || chargeOf(payment) || payment.cancelledAt) return undefined;
  const behaviour = behaviourOf(attempt.token) ?? { declineCode: 'invalid_method' };
  const { declineCode, succeeds } = behaviour;
  const waitMs = { delayed: delays.delayMs, late: delays.lateMs, now: 0 }[succeeds ?? 'now'];
  const outcome = declineCode ? { declineCode } : { succeedsAt: new Date(now + waitMs) };
  return { ...payment, attempts: [...payment.attempts, { ...attempt, ...outcome }] };
}

/** Money that is taken, or on its way, cannot be called off; it can be refunded. */
export function cancelled(payment: SimulatedPayment, now: number): SimulatedPayment | undefined {
  if (payment.cancelledAt || chargeOf(payment)) return undefined;
  return { ...payment, cancelledAt: new Date(now) };
}

/** Sends money back; undefined when that was done under this id, or there is not so much. */
export function refunded(
  payment: SimulatedPayment,
  refund: { id: string; amount: number },
  now: number,
): SimulatedPayment | undefined {
  if (payment.refunds.some(({ id }) => id === refund.id)) return undefined;
  const gone = payment.refunds.reduce((sum, { amount }) => sum + amount, 0);
  if (stateOf(payment, now).status !== 'succeeded' || gone + refund.amount > payment.amount)
    return undefined;
  return { ...payment, refunds: [...payment.refunds, refund] };
}
