import { toAppError } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { SaleStore } from '../sales/sale-store.ts';
import { auditSale, type AuditSaleDeps, type SaleAudit } from './audit-sale.ts';
import type { AuditMetrics, SaleFigures } from './audit-metrics.ts';
import { settlingMs } from './compare.ts';
import { driftKey, driftKinds, driftUnits, type Drift } from './drift.ts';
import type { SaleCounters } from './ledger-books.ts';
import { repairDrifts, type RepairDeps } from './repair-drift.ts';
import type { Walk } from './second-looks.ts';

export interface AuditorDeps extends AuditSaleDeps {
  sales: Pick<SaleStore, 'listLedgerReady'>;
  repair: RepairDeps;
  metrics: AuditMetrics;
  log: Logger;
  /** Shortest time between two looks at a sale. */
  restMs?: number;
  /** Milliseconds by a clock that never jumps: how long work has taken. */
  stopwatch?: () => number;
}

/** A turn ends after so long, with the piece that is at hand: others use these stores too. */
const turnMs = 150;
/** Sales that are being walked at the same time. */
const walksAtOnce = 8;
/** A sale that holds something is walked again after so long at the latest. */
const longestRestMs = 4_000;
/** The same for a sale that holds nothing and does not change: a net for what leaves no trace. */
const stillRestMs = 60_000;
const listEveryMs = 2_000;
/** Alarms are for people: of one walk so many, and then only how many there were. */
const alarmsPerWalk = 20;
/**
 * A sale that is fenced and rebuilt once for what its ledger says about itself, and says so again,
 * would be closed over and over; after the first time people have to look at it.
 */
const fenceAgainMs = 600_000;

interface Watched {
  walk?: { steps: Walk<SaleAudit>; spentMs: number; pausedUntilMs: number };
  /** Nothing is looked at before. */
  restUntilMs: number;
  walkedMs: number;
  /** The settings version that the ledger was given at least. */
  putVersion: number;
  /** The counters after the last walk, when it found nothing. */
  quiet?: string;
  /** Drifts that were found last, by key, with when each was found first. */
  drifts: ReadonlyMap<string, { drift: Drift; sinceMs: number }>;
  alarmed: ReadonlySet<string>;
  fencedMs?: number;
  figures: SaleFigures;
}

/**
 * Looks at every sale that changed or holds anything within 5 s, again and again, in turns of
 * bounded work; says so when a single unit is in the wrong place, and mends it. Several processes
 * may do so at once.
 */
export function createAuditor(deps: AuditorDeps): () => Promise<void> {
  const { metrics, log, clock, restMs = 1_000, stopwatch = () => performance.now() } = deps;
  const watched = new Map<string, Watched>();
  let queue: string[] = [];
  let listedMs = -Infinity;

  async function listSales(): Promise<void> {
    if (clock.now() - listedMs < listEveryMs) return;
    const ready = await deps.sales.listLedgerReady();
    for (const { saleId, putVersion } of ready) {
      const sale = watched.get(saleId) ?? {
        restUntilMs: 0,
        walkedMs: -Infinity,
        drifts: new Map(),
        alarmed: new Set(),
        figures: nothing,
      };
      watched.set(saleId, Object.assign(sale, { putVersion }));
    }
    const saleIds = new Set(ready.map(({ saleId }) => saleId));
    for (const saleId of watched.keys()) if (!saleIds.has(saleId)) watched.delete(saleId);
    listedMs = clock.now();
  }

  /** Whether a sale needs a walk; one that stands still and holds nothing does not. */
  async function isDue(saleId: string, sale: Watched): Promise<boolean> {
    const nowMs = clock.now();
    if (nowMs < sale.restUntilMs) return false;
    if (nowMs - sale.walkedMs >= stillRestMs || sale.quiet === undefined) return true;
    const counters = await deps.ledger.readCounters(saleId);
    const isStill =
      typeof counters !== 'string' &&
      counters.records === 0 &&
      counters.settingsVersion >= sale.putVersion &&
      sale.quiet === asText(counters);
    if (isStill) sale.restUntilMs = nowMs + restMs;
    return !isStill;
  }

  /** Fills the free places with sales of the queue. */
  async function startWalks(): Promise<void> {
    let running = [...watched.values()].filter(({ walk }) => walk).length;
    while (running < walksAtOnce && queue.length > 0) {
      const saleId = queue.shift() ?? '';
      const sale = watched.get(saleId);
      if (!sale || sale.walk) continue;
      try {
        if (!(await isDue(saleId, sale))) continue;
      } catch (error) {
        later(saleId, sale, error);
        continue;
      }
      sale.walk = { steps: auditSale(deps, saleId), spentMs: 0, pausedUntilMs: 0 };
      running += 1;
    }
  }

  /** One piece of a walk. */
  async function step(saleId: string, sale: Watched): Promise<void> {
    const { walk } = sale;
    if (!walk) return;
    const beganMs = stopwatch();
    try {
      const { done, value } = await walk.steps.next();
      walk.spentMs += stopwatch() - beganMs;
      if (!done) {
        walk.pausedUntilMs = clock.now() + (value ?? 0);
        return;
      }
      delete sale.walk;
      metrics.noteAudit(walk.spentMs / 1_000);
      sale.walkedMs = clock.now();
      sale.restUntilMs = sale.walkedMs + restAfter(walk.spentMs);
      await conclude(saleId, sale, value);
    } catch (error) {
      delete sale.walk;
      later(saleId, sale, error);
    }
  }

  /** A walk takes a fifth of the time, unless it is so long that the sale would wait for too long. */
  const restAfter = (spentMs: number) =>
    restMs === 0 ? 0 : Math.max(restMs, Math.min(spentMs * 4, longestRestMs));

  function later(saleId: string, sale: Watched, error: unknown): void {
    sale.restUntilMs = clock.now() + Math.max(restMs, 100);
    delete sale.quiet;
    const level = toAppError(error).kind === 'unavailable' ? 'debug' : 'error';
    log[level]({ err: error, saleId }, 'the books of a sale could not be compared');
  }

  async function conclude(saleId: string, sale: Watched, audit: SaleAudit): Promise<void> {
    delete sale.quiet;
    if (!audit.judged) {
      sale.figures = { ...nothing, isUnjudged: true };
      return;
    }
    const { counters, overdueHolds, buyersOverLimit } = audit;
    const nowMs = clock.now();
    const drifts: Drift[] = [...audit.drifts];
    // Versions in the ledger only rise, and this one was read later than the other.
    if (counters.settingsVersion < sale.putVersion) drifts.push({ kind: 'settings-lost', saleId });
    const all = new Map(
      drifts.map((drift) => {
        const key = driftKey(drift);
        return [key, { drift, sinceMs: sale.drifts.get(key)?.sinceMs ?? nowMs }] as const;
      }),
    );
    sale.drifts = all;
    const found = [...all.values()]
      // A movement is raised by its own runner, which may just be on its way.
      .filter(
        ({ drift, sinceMs }) => drift.kind !== 'last-too-low' || nowMs - sinceMs >= settlingMs,
      )
      .map(({ drift }) => drift);
    const driftUnitCount = found.reduce((sum, drift) => sum + driftUnits(drift), 0);
    sale.figures = {
      driftUnits: driftUnitCount,
      overdueHolds,
      buyersOverLimit,
      isUnjudged: false,
    };
    if (all.size === 0) sale.quiet = asText(counters);
    alarm(sale, found);
    if (found.length > 0) await repair(saleId, sale, audit.epoch, found);
  }

  /** Each drift is told once while it lasts. */
  function alarm(sale: Watched, found: readonly Drift[]): void {
    const fresh = found.filter((drift) => !sale.alarmed.has(driftKey(drift)));
    sale.alarmed = new Set(found.map(driftKey));
    metrics.noteOversold(fresh.filter(({ kind }) => kind === 'unit-oversold').length);
    for (const drift of fresh.slice(0, alarmsPerWalk)) {
      const { isMarked, kind, ...place } = drift;
      const fields = { drift: kind, ...place, ofWalk: fresh.length };
      if (isMarked) log.warn(fields, 'units of an order have not left the ledger in time');
      else log.error(fields, 'drift: ledger, movements and orders disagree');
    }
  }

  async function repair(
    saleId: string,
    sale: Watched,
    epoch: number,
    found: readonly Drift[],
  ): Promise<void> {
    const nowMs = clock.now();
    const mayFence = sale.fencedMs === undefined || nowMs - sale.fencedMs >= fenceAgainMs;
    const mended = found.filter(
      ({ kind }) => mayFence || driftKinds[kind] !== 'fence' || isSign(kind),
    );
    const done = await repairDrifts(deps.repair, saleId, epoch, mended);
    for (const made of done) metrics.noteRepair(made);
    if (done.has('fence') && !found.some(({ kind }) => isSign(kind))) sale.fencedMs = nowMs;
    if (done.size > 0)
      log.warn({ saleId, epoch, repairs: [...done], drifts: found.length }, 'mended a sale');
    // What was mended is looked at soon.
    sale.restUntilMs = nowMs + restMs;
  }

  return async () => {
    await listSales();
    const endMs = stopwatch() + turnMs;
    // Once around in one turn at most.
    if (queue.length === 0) queue = [...watched.keys()];
    do {
      await startWalks();
      const nowMs = clock.now();
      const open = [...watched].filter(([, { walk }]) => walk && walk.pausedUntilMs <= nowMs);
      if (open.length === 0) break;
      await Promise.all(open.map(([saleId, sale]) => step(saleId, sale)));
    } while (stopwatch() < endMs);
    metrics.show([...watched.values()].map(({ figures }) => figures));
    metrics.showUnrecorded(await deps.ledger.countUnrecorded());
  };
}

const nothing: SaleFigures = {
  driftUnits: 0,
  overdueHolds: 0,
  buyersOverLimit: 0,
  isUnjudged: false,
};

/** What the documents prove about the ledger; a rebuild cures it, as often as it comes. */
const isSign = (kind: Drift['kind']) =>
  kind === 'unit-not-held' || kind === 'gone-too-low' || kind === 'settings-lost';

const asText = ({ epoch, records, settingsVersion, products }: SaleCounters) =>
  JSON.stringify([epoch, records, settingsVersion, ...products]);
