import { setTimeout as sleep } from 'node:timers/promises';
import { unitsByProduct } from '@quicksale/shared/stock-ledger';
import type { Movement } from '../stock/movement.ts';
import { auditSale, type AuditSaleDeps, type SaleAudit } from './audit-sale.ts';
import type { SaleHistory, TracedOrder } from './sale-history.ts';

export interface AuditReportDeps {
  books: AuditSaleDeps;
  history: SaleHistory;
}

/**
 * One line of the books of a sale. `units` has one line per unit and order that had it: a unit that
 * was given back comes once more for each later order. Units that nobody has ever had, and those in
 * bare holds, have no order and no line; the products' figures count them.
 */
export type ReportLine =
  | {
      record: 'sale';
      saleId: string;
      kind: 'standing' | 'timed';
      /** Of the beginning; the orders are read after it. */
      at: string;
      epoch: number | null;
    }
  | {
      record: 'products';
      productId: string;
      /** lastUnit = available + held + committed + gone; null while the ledger cannot be asked. */
      lastUnit: number;
      available: number | null;
      /** Until a deadline. */
      held: number | null;
      /** In orders, without a deadline. */
      committed: number | null;
      gone: number | null;
    }
  | {
      record: 'movements';
      movementId: string;
      productId: string;
      reason: string;
      units: number;
      firstUnit: number;
      lastUnit: number;
      by: string;
      at: string;
    }
  | {
      record: 'units';
      productId: string;
      unit: number;
      orderId: string;
      orderNumber: string;
      kind: string;
      userId: string;
      /** What became of it: held or sold by the order, or given back. */
      place: 'held' | 'sold' | 'given-back';
      status: string;
      takenAt: string;
      /** When the order came to what `place` says, and why if it is known. */
      at: string;
      by: string;
      reason: string;
    }
  | { record: 'refusals'; reason: string; count: number }
  | {
      record: 'drifts';
      drift: string;
      productId: string | null;
      unit: number | null;
      orderId: string | null;
      expected: number | null;
      found: number | null;
    }
  | { record: 'verdict'; verdict: 'ok' | 'drift' | 'unjudged'; reason: string };

/** Longest that a movement may wait for the ledger to follow, and a second. */
const followMs = 6_000;

/**
 * The books of a sale, line by line, read while they are sent: however many orders there are, a page
 * of them is in memory. The verdict comes last; it is that of a walk like the auditor's, which goes on
 * meanwhile: behind the lines of a large sale it would keep a client, and a proxy, waiting too long.
 */
export async function* auditReport(
  deps: AuditReportDeps,
  sale: { saleId: string; kind: 'standing' | 'timed' },
  at: Date,
): AsyncGenerator<ReportLine, void> {
  const leaving = new AbortController();
  const verdict = judge(deps.books, sale.saleId, leaving.signal);
  // Whoever leaves before it comes does not hear of its failure.
  verdict.catch(() => undefined);
  try {
    yield* listBooks(deps, sale, at);
    yield* verdictLines(await verdict);
  } finally {
    leaving.abort();
  }
}

async function* listBooks(
  { books: { ledger, orders }, history }: AuditReportDeps,
  { saleId, kind }: { saleId: string; kind: 'standing' | 'timed' },
  at: Date,
): AsyncGenerator<ReportLine, void> {
  const lasts = await orders.lastUnits(saleId);
  const counters = await ledger.readCounters(saleId);
  const asked = typeof counters === 'string' ? undefined : counters;
  yield { record: 'sale', saleId, kind, at: at.toISOString(), epoch: asked?.epoch ?? null };
  for (const productId of [...new Set([...lasts.keys(), ...(asked?.products.keys() ?? [])])]) {
    const line = asked?.products.get(productId);
    const { available = null, held = null, gone = null } = line ?? {};
    const lastUnit = line?.last ?? lasts.get(productId) ?? 0;
    const committed = line ? line.last - line.available - line.held - line.gone : null;
    yield { record: 'products', productId, lastUnit, available, held, committed, gone };
  }

  let movements: Movement[] = [];
  do {
    movements = await history.listMovements(saleId, movements.at(-1));
    yield* movements.map(movementLine);
  } while (movements.length > 0);

  let page: TracedOrder[] = [];
  do {
    page = await history.listOrders(saleId, page.at(-1)?.id);
    // Ids are in the order of seconds only.
    for (const order of page.toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime()))
      yield* unitLines(order);
  } while (page.length > 0);

  const refusals = await history.countRefusals(saleId);
  for (const [reason, count] of Object.entries(refusals).sort())
    yield { record: 'refusals', reason, count };
}

function movementLine({
  id,
  productId,
  reason,
  firstUnit,
  lastUnit,
  by,
  at,
}: Movement): ReportLine {
  const units = lastUnit - firstUnit + 1;
  const line = { productId, reason, units, firstUnit, lastUnit, by, at: at.toISOString() };
  return { record: 'movements', movementId: id, ...line };
}

/** Units that the order gave up, step by step, and those that it owns. */
function* unitLines(order: TracedOrder): Generator<ReportLine, void> {
  const { id, orderNumber, kind, userId, status, createdAt, history } = order;
  const takenAt = createdAt.toISOString();
  const line = (names: readonly string[], rest: { place: 'held' | 'sold' | 'given-back' } & Step) =>
    Object.entries(unitsByProduct(names)).flatMap(([productId, units]) =>
      units.map((unit): ReportLine => {
        const whose = { productId, unit, orderId: id, orderNumber, kind, userId, status, takenAt };
        return { record: 'units', ...whose, ...rest };
      }),
    );
  for (const step of history)
    if (step.released) yield* line(step.released, { place: 'given-back', ...stepOf(step) });
  const place = order.inventoryStatus === 'SOLD' ? 'sold' : 'held';
  const last = history.at(-1);
  const now = last ? stepOf(last) : { at: takenAt, by: userId, reason: '' };
  yield* line(order.units ?? [], { place, ...now });
}

interface Step {
  at: string;
  by: string;
  reason: string;
}

const stepOf = ({ at, by, reason = '' }: TracedOrder['history'][number]): Step => ({
  at: at.toISOString(),
  by,
  reason,
});

/** A walk to its end; once more when the ledger is just about to follow a movement. */
async function judge(
  books: AuditSaleDeps,
  saleId: string,
  leaving: AbortSignal,
): Promise<SaleAudit> {
  const first = await walk(books, saleId, leaving);
  const isFollowing =
    first.judged &&
    first.drifts.length > 0 &&
    first.drifts.every(({ kind }) => kind === 'last-too-low');
  if (!isFollowing) return first;
  await sleep(followMs, undefined, { signal: leaving });
  return walk(books, saleId, leaving);
}

async function walk(
  books: AuditSaleDeps,
  saleId: string,
  leaving: AbortSignal,
): Promise<SaleAudit> {
  const steps = auditSale(books, saleId);
  for (;;) {
    const { done, value } = await steps.next();
    if (done) return value;
    if (value !== undefined) await sleep(value);
    leaving.throwIfAborted();
  }
}

function* verdictLines(audit: SaleAudit): Generator<ReportLine, void> {
  if (!audit.judged)
    return void (yield { record: 'verdict', verdict: 'unjudged', reason: audit.reason });
  for (const { kind, productId, unit, orderId, expected, found } of audit.drifts)
    yield {
      record: 'drifts',
      drift: kind,
      productId: productId ?? null,
      unit: unit ?? null,
      orderId: orderId ?? null,
      expected: expected ?? null,
      found: found ?? null,
    };
  const isOk = audit.drifts.length === 0;
  yield { record: 'verdict', verdict: isOk ? 'ok' : 'drift', reason: '' };
}
