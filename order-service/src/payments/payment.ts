import { amountDue, isUnpaid, type Order } from '@quicksale/shared/orders';
import type { PaymentProvider, ProviderIntent } from './payment-provider.ts';

export const paymentStates = ['open', 'confirming', 'processing', 'succeeded', 'declined'] as const;
export const refundStates = ['pending', 'succeeded', 'failed'] as const;

/** Money that the provider was asked to take for an order: all that it took is in `captured`. */
export interface Intent {
  /** The provider's id. */
  id: string;
  amount: number;
  captured: number;
  /** It may still take money. */
  isOpen: boolean;
}

/** Money on its way back. Written before the provider hears of it, so that it is sent once. */
export interface Refund {
  /** Also the provider's idempotency key. */
  id: string;
  intentId: string;
  amount: number;
  reason: string;
  by: string;
  at: Date;
  status: (typeof refundStates)[number];
  /** The order costs less than was paid, or somebody asked for it. */
  cause: 'order' | 'request';
  /** What the order cost when it was the cause. */
  due?: number;
}

/**
 * What was paid for an order, and what went back; amounts in minor units. Its id is the order's.
 * Every write is a compare-and-set on `version`. The rule: what is kept never exceeds what the order
 * costs, and what is not in order yet has a `checkAt`.
 */
export interface Payment {
  id: string;
  userId: string;
  merchantId?: string;
  provider: PaymentProvider['name'];
  status: (typeof paymentStates)[number];
  /** What the last intent is to take. */
  amount: number;
  currency: string;
  /** The last one can be paid. Earlier ones are remembered: their money may come late. */
  intents: readonly Intent[];
  /** The last time that a buyer tried; `until`: a live process would have its answer by then. */
  attempt?: { digest: string; until: Date };
  attempts: number;
  declineCode?: string;
  refunds: readonly Refund[];
  version: number;
  /** Deadline of the order. */
  expiresAt: Date | null;
  /** When it is looked at again, and how often that was in vain. */
  checkAt?: Date;
  checks: number;
  createdAt: Date;
  updatedAt: Date;
}

/** Longer than a provider is waited for. */
const attemptMs = 15_000;
const firstCheckMs = 5_000;
const longestCheckMs = 600_000;
/** Whoever tries more often is trying out cards. */
export const mostAttempts = 20;

const sum = (amounts: readonly number[]) => amounts.reduce((total, one) => total + one, 0);

export const capturedOf = ({ intents }: Payment): number => sum(intents.map((i) => i.captured));

/** What has gone back. */
export const refundedOf = ({ refunds }: Payment): number =>
  sum(refunds.filter(({ status }) => status === 'succeeded').map(({ amount }) => amount));

const isLive = ({ status }: Refund) => status !== 'failed';

/** What is left of the money once all that is on its way back has gone. */
export const keptOf = (payment: Payment): number =>
  capturedOf(payment) - sum(payment.refunds.filter(isLive).map(({ amount }) => amount));

/**
 * What has to go back and is not on its way: never so much that less is kept than the order costs. A
 * provider that has refused for good is asked again only when the order costs still less.
 */
export function refundOwed(payment: Payment, order: Parameters<typeof amountDue>[0]): number {
  const due = amountDue(order);
  const isRefused = payment.refunds.some((refund) => !isLive(refund) && refund.due === due);
  return isRefused ? 0 : Math.max(0, keptOf(payment) - due);
}

/** Takes an amount from what is left of each intent, the oldest first. */
function shareOut(payment: Payment, amount: number): { intentId: string; amount: number }[] {
  let open = amount;
  return payment.intents.flatMap(({ id, captured }) => {
    const gone = payment.refunds.filter((one) => isLive(one) && one.intentId === id);
    const part = Math.min(open, captured - sum(gone.map((one) => one.amount)));
    open -= part;
    return part > 0 ? [{ intentId: id, amount: part }] : [];
  });
}

/** The payment with so much more on its way back; several parts where several intents were paid. */
export function withRefund(
  payment: Payment,
  refund: Pick<Refund, 'id' | 'amount' | 'reason' | 'by' | 'cause' | 'due'> & { now: number },
): Payment {
  const { now, id, amount, ...rest } = refund;
  const at = new Date(now);
  const parts = shareOut(payment, amount).map((part, index) => ({
    ...{ ...rest, ...part, at, status: 'pending' as const },
    id: index === 0 ? id : `${id}-${index + 1}`,
  }));
  return soon({ ...payment, refunds: [...payment.refunds, ...parts] }, now);
}

/** Why it is that much less: what was said when the order last gave something up. */
const reasonOf = ({ history }: Order) =>
  history.findLast(({ released, to }) => released ?? to === 'REFUNDED')?.reason;

/** What the order has made too much goes back; undefined when there is nothing. */
export function withOwedRefund(payment: Payment, order: Order, now: number): Payment | undefined {
  const amount = refundOwed(payment, order);
  if (amount === 0) return undefined;
  const due = amountDue(order);
  const reason = reasonOf(order) ?? (due === 0 ? `order ${order.status}` : 'some units cancelled');
  const id = `${payment.id}-r${payment.refunds.length + 1}`;
  return withRefund(payment, {
    ...{ id, amount, reason, now, due, by: 'order-service', cause: 'order' },
  });
}

/** Begins an attempt; undefined while another one is under way, or when there is nothing to pay. */
export function withAttempt(payment: Payment, digest: string, now: number): Payment | undefined {
  if (!payment.intents.at(-1)?.isOpen) return undefined;
  const isSame = payment.attempt?.digest === digest;
  const mayTry =
    payment.status === 'open' ||
    payment.status === 'declined' ||
    (payment.status === 'confirming' && isSame);
  if (!mayTry) return undefined;
  const until = new Date(now + attemptMs);
  const { declineCode: _, ...rest } = payment;
  return {
    ...rest,
    status: 'confirming',
    attempt: { digest, until },
    attempts: payment.attempts + (isSame ? 0 : 1),
    checkAt: until,
    checks: 0,
    updatedAt: new Date(now),
  };
}

/**
 * The payment once it is known how an intent of it stands; undefined when that changes nothing.
 * `answer`: it is what the attempt came to. `look`: somebody looked, and an attempt may be under way.
 */
export function withIntent(
  payment: Payment,
  seen: ProviderIntent,
  how: 'answer' | 'look',
  now: number,
): Payment | undefined {
  const known = payment.intents.find(({ id }) => id === seen.id);
  if (!known?.isOpen) return undefined;
  const replace = (next: Intent) => payment.intents.map((one) => (one === known ? next : one));
  if (seen.status === 'succeeded') {
    const { declineCode: _, ...rest } = payment;
    const intents = replace({ ...known, captured: seen.amount, isOpen: false });
    return soon({ ...rest, status: 'succeeded', intents }, now);
  }
  const intents = seen.status === 'cancelled' ? replace({ ...known, isOpen: false }) : undefined;
  const status = known === payment.intents.at(-1) ? nextStatus(payment, seen, how, now) : undefined;
  if (!intents && !status) return undefined;
  return soon(
    {
      ...payment,
      ...(intents && { intents }),
      ...(status && { status }),
      ...(status === 'declined' && { declineCode: seen.declineCode ?? 'declined' }),
    },
    now,
  );
}

function nextStatus(
  { status, attempt }: Payment,
  seen: ProviderIntent,
  how: 'answer' | 'look',
  now: number,
): Payment['status'] | undefined {
  if (status === 'succeeded') return undefined;
  if (seen.status === 'processing') return status === 'processing' ? undefined : 'processing';
  if (how === 'answer') return 'declined';
  if (status !== 'confirming' && status !== 'processing') return undefined;
  if (seen.status === 'cancelled') return 'open';
  // The attempt may not have reached the provider yet.
  if (status === 'confirming' && attempt && attempt.until.getTime() > now) return undefined;
  return seen.declineCode ? 'declined' : 'open';
}

/** Something is to be done: if whoever wrote this dies, it is found. */
export function soon(payment: Payment, now: number): Payment {
  const at = new Date(now);
  return { ...payment, checkAt: new Date(now + firstCheckMs), checks: 0, updatedAt: at };
}

/** Put off before it is looked at, so that another process leaves it alone. */
export const postponed = (payment: Payment, now: number): Payment => ({
  ...payment,
  checks: payment.checks + 1,
  checkAt: new Date(now + Math.min(firstCheckMs * 2 ** payment.checks, longestCheckMs)),
});

/**
 * The payment when all that can be done now is done: without a `checkAt` where payment and order
 * agree. An order that was read before the payment errs to the safe side.
 */
export function atRest(payment: Payment, order: Order): Payment | undefined {
  if (!payment.checkAt || hasWork(payment, order)) return undefined;
  const { checkAt: _, ...rest } = { ...payment, checks: 0 };
  // Somebody may pay it, until the order is over.
  if (!payment.intents.some(({ isOpen }) => isOpen)) return rest;
  if (!order.expiresAt) return undefined;
  const checkAt = new Date(order.expiresAt.getTime() + firstCheckMs);
  return checkAt > payment.checkAt ? { ...rest, checkAt } : undefined;
}

function hasWork(payment: Payment, order: Order): boolean {
  if (payment.status === 'confirming' || payment.status === 'processing') return true;
  if (payment.refunds.some(({ status }) => status === 'pending')) return true;
  if (refundOwed(payment, order) > 0 || untold(payment, order).length > 0) return true;
  if (payment.status === 'succeeded' && isUnpaid(order)) return true;
  return !isUnpaid(order) && payment.intents.some(({ isOpen }) => isOpen);
}

/** Refunds that the order does not know to be done. */
export const untold = ({ refunds }: Payment, order: Order): Refund[] =>
  order.paymentStatus === 'REFUNDED'
    ? []
    : refunds.filter(
        ({ id, status }) =>
          status === 'succeeded' && !order.history.some(({ cause }) => cause === id),
      );
