import type { Operation } from '../history.ts';
import type { StoredCharge, StoredOrder } from './store-state.ts';
import type { Evidence, Findings, Index } from './verdict.ts';

const over = ['CANCELLED', 'EXPIRED', 'FAILED', 'REFUNDED'];
const unpaid = ['PENDING', 'AWAITING_PAYMENT'];

/** I11: of paying, the deadline and a cancel one wins, and the money agrees with the winner. */
export function checkMoney(evidence: Evidence, index: Index, findings: Findings): void {
  const charges = Map.groupBy(evidence.state.simulatedPayments, ({ paymentId }) => paymentId);
  for (const order of evidence.state.orders) {
    if (order.expiresAt === null) continue;
    const kept = keptByProvider(order, charges.get(order.id) ?? [], evidence, findings);
    const isPaid = !over.includes(order.status) && !unpaid.includes(order.status);
    const due = isPaid ? priceLeft(order) : 0;
    if (kept !== due)
      findings.violation('I11', `${order.status} order ${order.id}: kept ${kept}, due ${due}`);
    checkWinner(order, findings);
  }
  for (const operation of evidence.history) checkTold(operation, index, findings);
}

/** Prices of this run have neither tax nor shipping nor discounts in them. */
function priceLeft({ items, history }: StoredOrder): number {
  const cancelled = new Map<string, number>();
  for (const { productId, quantity } of history.flatMap((entry) => entry.cancelled ?? []))
    cancelled.set(productId, (cancelled.get(productId) ?? 0) + quantity);
  return items.reduce(
    (sum, item) => sum + item.unitPrice * (item.quantity - (cancelled.get(item.productId) ?? 0)),
    0,
  );
}

function keptByProvider(
  { id }: StoredOrder,
  charges: readonly StoredCharge[],
  { state }: Evidence,
  findings: Findings,
): number {
  return charges.reduce((total, { amount, attempts, refunds }) => {
    const taken = attempts.filter(
      ({ succeedsAt }) => succeedsAt && Date.parse(succeedsAt) <= state.readAtWall,
    );
    if (taken.length > 1) findings.violation('I11', `order ${id} was paid ${taken.length} times`);
    const back = refunds.reduce((sum, refund) => sum + refund.amount, 0);
    return total + (taken.length > 0 ? amount : 0) - back;
  }, 0);
}

/** An order that is over owns nothing; one that goes on has what it did not give back. */
function checkWinner({ id, status, units = [], items, history }: StoredOrder, findings: Findings) {
  const ends = history.filter(({ from, to }) => from !== to && over.includes(to));
  if (ends.length > 1) findings.violation('I11', `order ${id} ended ${ends.length} times`);
  const wasShipped = history.some(({ to }) => to === 'SHIPPED');
  if (over.includes(status) && !wasShipped && units.length > 0)
    findings.violation('I11', `${status} order ${id} still has ${units.length} units`);
  if (over.includes(status)) return;
  const given = history.flatMap(({ cancelled }) => cancelled ?? []);
  const left =
    items.reduce((sum, { quantity }) => sum + quantity, 0) -
    given.reduce((sum, { quantity }) => sum + quantity, 0);
  if (units.length !== left)
    findings.violation('I11', `${status} order ${id} has ${units.length} units instead of ${left}`);
}

/** Who was told that it is done finds it done. */
function checkTold(
  { type, outcome, orderId = '', items, told }: Operation,
  { orders }: Index,
  findings: Findings,
): void {
  if (outcome !== 'ok') return;
  const order = orders.get(orderId);
  if (!order) return;
  if (type === 'cancel' && !items && order.status !== 'CANCELLED')
    findings.violation('I11', `order ${orderId} was cancelled, they said, and is ${order.status}`);
  if (type === 'pay' && told?.status === 'succeeded' && unpaid.includes(order.status))
    findings.violation('I11', `order ${orderId} was paid, they said, and is ${order.status}`);
}
