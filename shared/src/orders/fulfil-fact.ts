import type { FulfilFact } from './facts.ts';
import { announced, pick, type DecidableOrder, type FactOutcome } from './order-step.ts';
import { mayBecome, type OrderState } from './order.ts';

/** The merchant goes on with an order; its units leave the ledger when it is shipped. */
export function applyFulfil(order: DecidableOrder, fact: FulfilFact): FactOutcome {
  if (order.status === fact.to) return { kind: 'already' };
  if (!mayBecome(order.status, fact.to) || !isAllowed(order, fact.to))
    return { kind: 'impossible' };
  const isShipment = fact.to === 'SHIPPED';
  return announced(order, {
    state: {
      ...pick(order),
      status: fact.to,
      ...(isShipment && { inventoryStatus: 'SOLD' as const }),
    },
    at: fact.at,
    entry: { by: fact.by, ...(fact.reason && { reason: fact.reason }) },
    ...(isShipment && { ship: order.units ?? [] }),
    ...(fact.trackingNumber && { trackingNumber: fact.trackingNumber }),
  });
}

/** Nothing is packed before inventory-service has found its units. */
const isAllowed = ({ inventoryStatus }: OrderState, to: FulfilFact['to']) =>
  inventoryStatus === (to === 'DELIVERED' ? 'SOLD' : 'RESERVED');
