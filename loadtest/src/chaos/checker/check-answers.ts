import type { Operation } from '../history.ts';
import { keyOf, wasInFlight, type Evidence, type Findings, type Index } from './verdict.ts';

/** Clocks of this machine are one; this is for rounding. */
const toleratedMs = 50;

/** I12, I13, I15, and that nobody is ever answered 500. */
export function checkAnswers(evidence: Evidence, index: Index, findings: Findings): void {
  for (const operation of evidence.history) {
    const { id, type, userId, status, foreign = [] } = operation;
    if (status === 500) findings.violation('defect', `operation ${id} (${type}) was answered 500`);
    if (status === 401 || status === 403)
      findings.violation('defect', `operation ${id} (${type}) was answered ${status}`);
    for (const other of foreign)
      findings.violation('I15', `an answer to ${userId} (${type} ${id}) names ${other}`);
    if (operation.code === 'sold-out') checkSoldOut(operation, evidence, index, findings);
  }
  checkWindows(evidence, findings);
  checkProbes(evidence, findings);
}

/** I12: nobody is told "sold out" under a key that holds a reservation. */
function checkSoldOut(
  { id: operationId, userId, key, invokedWall }: Operation,
  { losses }: Evidence,
  { ordersByKey, attempts }: Index,
  findings: Findings,
): void {
  const place = keyOf(userId, key);
  for (const order of ordersByKey.get(place) ?? []) {
    // By the ledger's clock, at the time of the reservation.
    if (Date.parse(order.createdAt) + toleratedMs >= invokedWall) continue;
    if (wasInFlight(losses, attempts.get(place) ?? []))
      findings.excuse('"sold out" under the key of an order in flight');
    else
      findings.violation(
        'I12',
        `operation ${operationId} was told "sold out" under the key of order ${order.id}`,
      );
  }
}

/** I13: no order outside the window of its sale, by the ledger's clock. */
function checkWindows({ state }: Evidence, findings: Findings): void {
  const sales = new Map(state.sales.map((sale) => [sale.id, sale]));
  for (const { id, kind, saleId, createdAt } of state.orders) {
    const sale = sales.get(saleId);
    if (kind !== 'order' || !sale?.opensAt || !sale.closesAt) continue;
    const at = Date.parse(createdAt);
    if (at < Date.parse(sale.opensAt) || at >= Date.parse(sale.closesAt))
      findings.violation('I13', `order ${id} was accepted at ${createdAt}, outside its sale`);
  }
}

/** I13: a shop at rest sells what it has and says so of what it has not. */
function checkProbes({ history }: Evidence, findings: Findings): void {
  const probes = history.filter(({ isProbe }) => isProbe);
  for (const [productId, [read, order]] of Map.groupBy(probes, (one) => one.productId)) {
    const available = read?.told?.available;
    if (available === undefined || !order) {
      findings.violation('I6', `product ${productId} could not be read at rest`);
      continue;
    }
    const got = order.outcome === 'ok' ? 'an order' : (order.code ?? String(order.status));
    const expected = available > 0 ? 'an order' : 'sold-out';
    if (got !== expected)
      findings.violation(
        available > 0 ? 'I13' : 'I2',
        `with ${available} of ${productId} to sell, at rest, a buyer got ${got}`,
      );
  }
}
