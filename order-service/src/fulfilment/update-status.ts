import type { Principal } from '@quicksale/shared/auth';
import { applyFact, type Fact, type Order, type OrderStore } from '@quicksale/shared/orders';
import type { Clock } from '@quicksale/shared/process';
import { changeOrder, type ChangeOrderDeps } from '../orders/change-order.ts';
import { findSoldOrder } from './sold-order.ts';

/** What a merchant can bring an order to. */
export const merchantStatuses = ['PROCESSING', 'SHIPPED', 'DELIVERED', 'CANCELLED'] as const;
export type MerchantStatus = (typeof merchantStatuses)[number];

export interface UpdateStatusDeps extends ChangeOrderDeps {
  clock: Clock;
  orders: Pick<OrderStore, 'applyChanges' | 'findByIds' | 'pullOutbox'>;
}

export type UpdateStatusResult =
  | { status: 'done'; order: Order }
  | { status: 'not_found' }
  /** inventory-service has not found its units yet. */
  | { status: 'unchecked'; order: Order; allowed: MerchantStatus[] }
  /** It has gone out under another tracking number. */
  | { status: 'other_shipment'; order: Order; allowed: MerchantStatus[] }
  | { status: 'not_allowed'; order: Order; allowed: MerchantStatus[] };

/**
 * Brings an order to what its merchant says: a step along the graph, or what is so already. With its
 * shipment the units leave the ledger for good. `check` looks at the order that is about to be
 * changed, and may throw.
 */
export async function updateStatus(
  deps: UpdateStatusDeps,
  principal: Pick<Principal, 'role' | 'userId'>,
  wish: {
    orderId: string;
    status: MerchantStatus;
    trackingNumber?: string;
    reason?: string;
    check: (order: Order) => void;
  },
): Promise<UpdateStatusResult> {
  const found = await findSoldOrder(deps.orders, principal, wish.orderId);
  if (!found) return { status: 'not_found' };
  const at = new Date(deps.clock.now());
  const step = { by: principal.userId, ...(wish.reason && { reason: wish.reason }), at };
  const result = await changeOrder(deps, found, (order) => {
    wish.check(order);
    return factOf(wish.status, {
      ...step,
      ...(wish.trackingNumber && { trackingNumber: wish.trackingNumber }),
    });
  });
  const { order } = result;
  if (result.kind === 'changed') return { status: 'done', order };
  const allowed = merchantStatuses.filter(
    (status) => applyFact(order, factOf(status, step)).kind === 'changed',
  );
  if (result.kind === 'impossible') {
    const isUnchecked = order.status === 'CONFIRMED' && order.inventoryStatus === 'PENDING';
    return { status: isUnchecked ? 'unchecked' : 'not_allowed', order, allowed };
  }
  // Of two that ship at once one is first; the other parcel is not the one that counts.
  const isOther = wish.status === 'SHIPPED' && order.trackingNumber !== wish.trackingNumber;
  return isOther ? { status: 'other_shipment', order, allowed } : { status: 'done', order };
}

function factOf(
  to: MerchantStatus,
  step: { by: string; reason?: string; trackingNumber?: string; at: Date },
): Fact {
  const { trackingNumber: _, ...cancel } = step;
  return to === 'CANCELLED' ? { type: 'cancel', ...cancel } : { type: 'fulfil', to, ...step };
}
