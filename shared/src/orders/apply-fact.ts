import type { PaymentStatus, Status } from '../contracts/index.ts';
import { applyCancel } from './cancel-fact.ts';
import type { Fact, InventoryFact } from './facts.ts';
import { applyFulfil } from './fulfil-fact.ts';
import { isCause, pick, step, type DecidableOrder, type FactOutcome } from './order-step.ts';
import { mayBecome, type OrderState } from './order.ts';
import { applyDecline, applyExpire, applyPay, applyRefund, applyRepaid } from './payment-facts.ts';

/** Decides, from the order as it is now, what a fact does to it. Pure. */
export function applyFact(order: DecidableOrder, fact: Fact): FactOutcome {
  switch (fact.type) {
    case 'inventory-result':
      return applyInventoryResult(order, fact);
    case 'cancel':
      return applyCancel(order, fact);
    case 'pay':
      return applyPay(order, fact);
    case 'decline':
      return applyDecline(order, fact);
    case 'refund':
      return applyRefund(order, fact);
    case 'repaid':
      return applyRepaid(order, fact);
    case 'fulfil':
      return applyFulfil(order, fact);
    case 'expire':
      return applyExpire(order, fact);
  }
}

/** An order as it is right after its creation: what most results meet, known without a read. */
export function asCreated(
  id: string,
  paymentStatus: PaymentStatus,
  outboxId: string,
): DecidableOrder {
  return {
    id,
    status: 'PENDING',
    inventoryStatus: 'PENDING',
    paymentStatus,
    version: 1,
    history: [],
    outbox: [{ id: outboxId, type: 'order.created.v1', version: 1 }],
  };
}

function applyInventoryResult(order: DecidableOrder, fact: InventoryFact): FactOutcome {
  if (isCause(order, fact.cause)) return { kind: 'already' };
  const state = afterResult(order, fact);
  if (!state) return { kind: 'impossible' };
  const outboxLeft = (order.outbox ?? []).filter((entry) => entry.id !== fact.outboxId);
  return {
    kind: 'changed',
    change: {
      fromVersion: order.version,
      state,
      historyEntry: {
        ...step(order, state, fact.at),
        by: 'inventory-service',
        cause: fact.cause,
      },
      removeOutbox: [fact.outboxId],
      // The scan has to find units and money that are still on their way, too.
      settlesOutbox:
        outboxLeft.length === 0 &&
        !order.releasing?.length &&
        !order.shipping?.length &&
        !order.repaying,
    },
  };
}

function afterResult(order: OrderState, fact: InventoryFact): OrderState | undefined {
  if (order.inventoryStatus !== 'PENDING') return undefined;
  if (fact.outcome === 'REJECTED') return undefined;
  // Paid before the result came: only the units are news.
  if (order.status === 'CONFIRMED') return { ...pick(order), inventoryStatus: 'RESERVED' };
  const to: Status = fact.paymentRequired ? 'AWAITING_PAYMENT' : 'CONFIRMED';
  if (!mayBecome(order.status, to)) return undefined;
  return { ...pick(order), status: to, inventoryStatus: 'RESERVED' };
}
