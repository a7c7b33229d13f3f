import type { Operation } from '../history.ts';
import { statusGraph } from '../../status-graph.ts';
import type { StatusEvent, StoredOrder } from './store-state.ts';
import { some, type Evidence, type Findings, type Index } from './verdict.ts';

/** I6: nothing waits for ever. `openWork` is what was left when its time was over. */
export function checkLiveness(evidence: Evidence, findings: Findings): void {
  for (const what of evidence.openWork) findings.violation('I6', `left undone: ${what}`);
  const stuck = evidence.state.orders.filter(({ status }) => status === 'PENDING');
  if (stuck.length > 0)
    findings.violation('I6', `orders PENDING: ${some(stuck.map(({ id }) => id))}`);
  const late = evidence.state.orders.filter(
    ({ status, expiresAt }) =>
      status === 'AWAITING_PAYMENT' && Date.parse(expiresAt ?? '') < evidence.state.readAtWall,
  );
  if (late.length > 0)
    findings.violation('I6', `not paid, not expired: ${some(late.map(({ id }) => id))}`);
}

/** I10: no unpaid hold outlives its deadline. */
export function checkDeadlines({ state }: Evidence, findings: Findings): void {
  const toleratedMs = 2_000;
  for (const [saleId, { records }] of Object.entries(state.ledger.sales))
    for (const { orderId, expiresAt } of records)
      if (expiresAt > 0 && expiresAt + toleratedMs < state.readAtWall)
        findings.violation('I10', `hold ${orderId} of ${saleId} has outlived its deadline`);
}

/** I7: histories walk the graph, one version after the other, and the topic tells the same story. */
export function checkHistories(evidence: Evidence, index: Index, findings: Findings): void {
  for (const order of evidence.state.orders) checkSteps(order, findings);
  const events = foldEvents(evidence.state.statusEvents, findings);
  for (const order of evidence.state.orders) {
    if (order.kind !== 'order') continue;
    const told = events.get(order.id) ?? new Map<number, StatusEvent>();
    events.delete(order.id);
    checkTold(order, told, findings);
  }
  for (const orderId of events.keys())
    findings.violation('I7', `order.status tells of order ${orderId}, which is not there`);
  checkReads(evidence.history, index, findings);
}

function checkSteps({ id, status, version, history }: StoredOrder, findings: Findings): void {
  const wrong = (what: string) => findings.violation('I7', `order ${id}: ${what}`);
  const versions = history.map((entry) => entry.version).join();
  const expected = Array.from({ length: version }, (_, at) => at + 1).join();
  if (versions !== expected) wrong(`versions ${versions} of ${version}`);
  if (history.at(-1)?.to !== status) wrong(`${status}, but its history ends otherwise`);
  let before: string | null = null;
  const causes = new Set<string>();
  for (const { from, to, cause } of history) {
    if (from !== before) wrong(`a step from ${from} after ${before}`);
    if (from !== null && from !== to && !statusGraph[from]?.includes(to)) wrong(`${from} -> ${to}`);
    if (cause && causes.has(cause)) wrong(`${cause} had an effect twice`);
    if (cause) causes.add(cause);
    before = to;
  }
}

/** Events by order and version, from offset 0; one that comes again is the same. */
function foldEvents(
  all: readonly StatusEvent[],
  findings: Findings,
): Map<string, Map<number, StatusEvent>> {
  const byOrder = new Map<string, Map<number, StatusEvent>>();
  for (const event of all) {
    const { orderId, version } = event.data;
    const ofOrder = byOrder.get(orderId) ?? new Map<number, StatusEvent>();
    const known = ofOrder.get(version);
    if (known && JSON.stringify(known.data) !== JSON.stringify(event.data))
      findings.violation('I7', `two different events ${event.id}`);
    ofOrder.set(version, event);
    byOrder.set(orderId, ofOrder);
  }
  return byOrder;
}

function checkTold(
  { id, userId, history, version }: StoredOrder,
  told: ReadonlyMap<number, StatusEvent>,
  findings: Findings,
): void {
  for (const step of history.filter((entry) => entry.version > 1)) {
    const event = told.get(step.version);
    if (!event) findings.violation('I7', `no event tells of step ${step.version} of ${id}`);
    else if (event.data.from !== step.from || event.data.to !== step.to)
      findings.violation('I7', `event ${event.id} tells another step than its order had`);
    else if (event.data.userId !== userId)
      findings.violation('I15', `event ${event.id} is addressed to ${event.data.userId}`);
  }
  for (const known of told.keys())
    if (known > version) findings.violation('I7', `an event tells of step ${known} of ${id}`);
}

/** What somebody has read can not be unread: of two reads one after the other the later is newer. */
function checkReads(history: readonly Operation[], { orders }: Index, findings: Findings): void {
  const seen = history.filter(({ told, orderId }) => orderId && told?.version !== undefined);
  for (const [orderId, reads] of Map.groupBy(seen, (one) => one.orderId ?? '')) {
    let newest = { version: 0, endedAt: -1 };
    const done = [...reads].sort((a, b) => a.endedAt - b.endedAt);
    for (const read of [...reads].sort((a, b) => a.invokedAt - b.invokedAt)) {
      for (; done[0] && done[0].endedAt < read.invokedAt; done.shift())
        if ((done[0].told?.version ?? 0) > newest.version)
          newest = { version: done[0].told?.version ?? 0, endedAt: done[0].endedAt };
      if ((read.told?.version ?? 0) < newest.version)
        findings.violation(
          'I7',
          `order ${orderId} was read with version ${read.told?.version} after ${newest.version}`,
        );
    }
    const version = Math.max(...reads.map(({ told }) => told?.version ?? 0));
    if (version > (orders.get(orderId)?.version ?? Infinity))
      findings.violation('I7', `order ${orderId} was read with version ${version}, which it lost`);
  }
}

/** I8: one stored notification for each step after the creation. */
export function checkNotifications({ state }: Evidence, findings: Findings): void {
  const expected = new Map<string, { userId: string; to: string }>(
    state.orders
      .filter(({ kind }) => kind === 'order')
      .flatMap(({ id, userId, history }) =>
        history
          .filter(({ version }) => version > 1)
          .map(({ version, to }) => [`${id}:${version}`, { userId, to }] as const),
      ),
  );
  const places = new Set<string>();
  for (const { id, userId, seq, data } of state.notifications) {
    const step = expected.get(id);
    const place = `${userId} ${seq}`;
    if (!step) findings.violation('I8', `notification ${id} is of no step of an order`);
    else if (step.userId !== userId)
      findings.violation('I15', `notification ${id} of ${step.userId} is stored for ${userId}`);
    else if (step.to !== data.status)
      findings.violation('I8', `notification ${id} says ${data.status} of ${step.to}`);
    if (places.has(place)) findings.violation('I8', `two notifications have number ${place}`);
    places.add(place);
    expected.delete(id);
  }
  if (expected.size > 0)
    findings.violation(
      'I8',
      `${expected.size} steps were not notified: ${some([...expected.keys()])}`,
    );
}
