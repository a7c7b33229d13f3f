import type { DeclineFact, ExpireFact, PayFact, RefundFact, RepaidFact } from './facts.ts';
import {
  announced,
  isCause,
  isPaid,
  isUnpaid,
  pick,
  type DecidableOrder,
  type FactOutcome,
} from './order-step.ts';
import { mayBecome } from './order.ts';

/** Pay is taken in PENDING too: a Kafka that is away must not let a paying buyer's order expire. */
export function applyPay(order: DecidableOrder, fact: PayFact): FactOutcome {
  if (isCause(order, fact.cause)) return { kind: 'already' };
  if (!isUnpaid(order) || order.paymentStatus === 'NONE') return { kind: 'impossible' };
  return announced(order, {
    state: { ...pick(order), status: 'CONFIRMED', paymentStatus: 'PAID' },
    at: fact.at,
    entry: { by: fact.by, cause: fact.cause },
  });
}

/** The buyer may try again until the deadline. */
export function applyDecline(order: DecidableOrder, fact: DeclineFact): FactOutcome {
  if (isCause(order, fact.cause)) return { kind: 'already' };
  if (!isUnpaid(order) || order.paymentStatus === 'NONE') return { kind: 'impossible' };
  return announced(order, {
    state: { ...pick(order), paymentStatus: 'FAILED' },
    at: fact.at,
    entry: {
      ...{ by: fact.by, cause: fact.cause, money: 'declined' as const },
      ...(fact.reason && { reason: fact.reason }),
    },
  });
}

/** The payment status stays: no money has moved. */
export function applyExpire(order: DecidableOrder, fact: ExpireFact): FactOutcome {
  if (order.status === 'EXPIRED') return { kind: 'already' };
  if (!isUnpaid(order) || !order.expiresAt) return { kind: 'impossible' };
  return announced(order, {
    state: { ...pick(order), status: 'EXPIRED', inventoryStatus: 'RELEASED' },
    at: fact.at,
    entry: { by: 'order-service', reason: 'not paid in time' },
    release: order.units ?? [],
  });
}

/** Before it is shipped its units can be sold again; what comes back later is new stock. */
export function applyRefund(order: DecidableOrder, fact: RefundFact): FactOutcome {
  if (isCause(order, fact.cause)) return { kind: 'already' };
  if (!isPaid(order.paymentStatus) || !mayBecome(order.status, 'REFUNDED'))
    return { kind: 'impossible' };
  const isSold = order.inventoryStatus === 'SOLD';
  return announced(order, {
    state: {
      ...pick(order),
      status: 'REFUNDED',
      ...(!isSold && { inventoryStatus: 'RELEASED' as const }),
    },
    at: fact.at,
    entry: { by: fact.by, reason: fact.reason, cause: fact.cause },
    ...(!isSold && { release: order.units ?? [] }),
    repay: true,
  });
}

/** Whatever has become of the order: that its money went back is always news. */
export function applyRepaid(order: DecidableOrder, fact: RepaidFact): FactOutcome {
  if (isCause(order, fact.cause)) return { kind: 'already' };
  if (order.paymentStatus === 'NONE' || order.paymentStatus === 'REFUNDED')
    return { kind: 'impossible' };
  return announced(order, {
    state: { ...pick(order), paymentStatus: fact.isAll ? 'REFUNDED' : 'PARTIALLY_REFUNDED' },
    at: fact.at,
    entry: {
      ...{ by: fact.by, cause: fact.cause, money: 'repaid' as const },
      ...(fact.reason && { reason: fact.reason }),
    },
  });
}
