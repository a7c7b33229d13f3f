import { Counter, Gauge, type Registry } from '@prometheus-io/client';
import { repairs, type Repair } from './drift.ts';

/** What the auditor last knew of a sale, in figures. */
export interface SaleFigures {
  driftUnits: number;
  overdueHolds: number;
  buyersOverLimit: number;
  isUnjudged: boolean;
}

export interface AuditMetrics {
  /** Sums over all sales, so the number of series does not depend on theirs. */
  show(sales: Iterable<SaleFigures>): void;
  noteOversold(units: number): void;
  noteRepair(repair: Repair): void;
  noteAudit(seconds: number): void;
  showUnrecorded(count: number): void;
}

/** The figures of the books; each process shows what it has seen itself. */
export function createAuditMetrics(registry: Registry): AuditMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const drift = gauge(
    'quicksale_stock_drift_units',
    'Units about which ledger, movements and orders disagree, in all sales',
  );
  const overdue = gauge(
    'quicksale_holds_past_deadline',
    'Unpaid holds more than 2 s past their deadline',
  );
  const overLimit = gauge(
    'quicksale_buyers_over_limit',
    'Buyers who own more units than the limit of their sale is at present',
  );
  const unjudged = gauge(
    'quicksale_sales_unjudged',
    'Sales whose books cannot be compared: fenced, unknown to the ledger, or not admitted',
  );
  const unrecorded = gauge(
    'quicksale_unrecorded_holds',
    'Holds whose orders are not known to be in MongoDB',
  );
  const oversold = new Counter({
    name: 'quicksale_oversold_units_total',
    help: 'Units found sold twice, or beyond what came in; must stay 0',
    registers,
  });
  const repaired = new Counter({
    name: 'quicksale_audit_repairs_total',
    help: 'Repairs that the auditor made',
    labelNames: ['repair'],
    registers,
  });
  for (const repair of repairs) repaired.inc({ repair }, 0);
  const audits = new Counter({
    name: 'quicksale_sale_audits_total',
    help: 'Walks through the books of a sale',
    registers,
  });
  const seconds = new Counter({
    name: 'quicksale_sale_audit_seconds_total',
    help: 'Time spent walking through the books of sales',
    registers,
  });

  return {
    show: (sales) => {
      const sums = { drift: 0, overdue: 0, overLimit: 0, unjudged: 0 };
      for (const figures of sales) {
        sums.drift += figures.driftUnits;
        sums.overdue += figures.overdueHolds;
        sums.overLimit += figures.buyersOverLimit;
        sums.unjudged += figures.isUnjudged ? 1 : 0;
      }
      drift.set(sums.drift);
      overdue.set(sums.overdue);
      overLimit.set(sums.overLimit);
      unjudged.set(sums.unjudged);
    },
    noteOversold: (units) => oversold.inc(units),
    noteRepair: (repair) => repaired.inc({ repair }),
    noteAudit: (spent) => {
      audits.inc();
      seconds.inc(spent);
    },
    showUnrecorded: (count) => unrecorded.set(count),
  };
}
