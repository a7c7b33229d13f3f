import type { Operation } from '../history.ts';
import type { StoredOrder } from './store-state.ts';
import { keyOf, some, wasInFlight, type Evidence, type Findings, type Index } from './verdict.ts';

/** I3, I4, I5: what was asked for under a key, what was promised, and what is there. */
export function checkOrders(evidence: Evidence, index: Index, findings: Findings): void {
  for (const [key, attempts] of index.attempts) checkKey(evidence, index, key, attempts, findings);
  for (const [key, orders] of index.ordersByKey) {
    const ids = orders.map(({ id }) => id);
    // In a fast sale a key that the ledger lost may name a second order.
    const isFast = orders.some(({ saleId }) => evidence.fastSales.has(saleId));
    if (ids.length > 1 && !(isFast && evidence.losses.length > 0))
      findings.violation('I3', `key ${key} has ${ids.length} orders: ${some(ids)}`);
    else if (ids.length > 1) findings.excuse('fast: a second order under a key');
    const asked = (index.attempts.get(key) ?? []).map(({ items }) => printItems(items));
    for (const order of orders) {
      const got = printItems(order.items);
      if (!asked.includes(got))
        findings.violation('I5', `nobody asked for order ${order.id} (${got}) under key ${key}`);
    }
  }
}

function checkKey(
  evidence: Evidence,
  index: Index,
  key: string,
  attempts: readonly Operation[],
  findings: Findings,
): void {
  const accepted = attempts.filter(({ outcome }) => outcome === 'ok');
  if (accepted.length === 0) return;
  const bodies = new Set(accepted.map(({ items }) => printItems(items)));
  if (bodies.size > 1)
    findings.violation('I3', `key ${key} was accepted for ${[...bodies].join(' and for ')}`);
  const answers = new Set(accepted.map(({ bytes }) => bytes));
  const ids = [...new Set(accepted.map(({ orderId }) => orderId ?? ''))];
  const isFast = evidence.fastSales.has(accepted[0]?.told?.saleId ?? '');
  if (answers.size > 1) {
    if (isFast && evidence.losses.length > 0) findings.excuse('fast: another answer under a key');
    else findings.violation('I3', `key ${key} had ${answers.size} answers: ${some(ids)}`);
  }
  for (const one of accepted) checkPromise(evidence, index, one, isFast, findings);
}

function checkPromise(
  { losses }: Evidence,
  { orders }: Index,
  { orderId = '', userId, items, told }: Operation,
  isFast: boolean,
  findings: Findings,
): void {
  const order = orders.get(orderId);
  const mayBeLost = isFast && losses.length > 0;
  if (!order) {
    if (mayBeLost) findings.excuse('fast: an accepted order is gone');
    else findings.violation('I4', `order ${orderId} of ${userId} was accepted and is not there`);
    return;
  }
  if (order.userId !== userId || told?.userId !== userId)
    findings.violation('I4', `order ${orderId} of ${userId} is that of ${order.userId}`);
  if (printItems(order.items) !== printItems(items))
    findings.violation('I4', `order ${orderId} has other items than were asked for`);
  if (!isTold(order, told))
    findings.violation('I4', `order ${orderId} has other items or prices than were told`);
  if (order.status === 'FAILED') {
    if (mayBeLost) findings.excuse('fast: an accepted order has failed');
    else findings.violation('I4', `order ${orderId} was accepted and has FAILED`);
  }
}

/** Minor units here, major ones in the answer. */
function isTold(order: StoredOrder, told: Operation['told']): boolean {
  const same = order.items.every(({ productId, quantity, unitPrice }) =>
    told?.items?.some(
      (one) =>
        one.productId === productId &&
        one.quantity === quantity &&
        Math.round(one.unitPrice * 100) === unitPrice,
    ),
  );
  const total = order.items.reduce((sum, item) => sum + item.unitPrice * item.quantity, 0);
  return (
    same && total === order.totalAmount && Math.round((told?.totalAmount ?? 0) * 100) === total
  );
}

const printItems = (items: readonly { productId: string; quantity: number }[] = []): string =>
  items
    .map(({ productId, quantity }) => `${quantity} x ${productId}`)
    .sort()
    .join(' + ');

/** I9: units of a buyer that are not given back. */
export function checkLimits(evidence: Evidence, index: Index, findings: Findings): void {
  const { state, limits, losses } = evidence;
  const bought = Map.groupBy(
    state.orders.filter(({ kind, saleId }) => kind === 'order' && limits.has(saleId)),
    ({ saleId, userId }) => `${saleId} ${userId}`,
  );
  for (const [place, orders] of bought) {
    const [saleId = '', userId = ''] = place.split(' ');
    const limit = limits.get(saleId) ?? 0;
    const owned = orders.reduce((sum, { units = [] }) => sum + units.length, 0);
    const counted = state.ledger.sales[saleId]?.buyers[userId] ?? 0;
    if (counted !== owned)
      findings.violation('I9', `${userId} has ${owned} units of ${saleId}, counted ${counted}`);
    if (limit === 0 || owned <= limit) continue;
    // Each order that was on its way at a loss may have been forgotten by the count.
    const forgotten = orders.filter((order) =>
      wasInFlight(losses, index.attempts.get(keyOf(userId, order.idempotencyKey)) ?? []),
    );
    const excused = forgotten.reduce((sum, { units = [] }) => sum + units.length, 0);
    if (owned - excused <= limit) findings.excuse('more than the limit, an order was in flight');
    else
      findings.violation('I9', `${userId} has ${owned} units of ${saleId}; the limit is ${limit}`);
  }
}
