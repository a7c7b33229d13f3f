import { Counter, Histogram, type Registry } from '@prometheus-io/client';

/** What a process measures of the holds that it ends. */
export interface ExpiryMetrics {
  /** Units of a hold are back in the ledger, so late after the hold's deadline. */
  noteReturned(lateMs: number): void;
}

/** The figures by which it shows that no unit sits unsellable after its deadline. */
export function createExpiryMetrics(registry: Registry): ExpiryMetrics {
  const unsold = new Histogram({
    name: 'quicksale_unit_unsold_seconds',
    help: 'From the deadline of an unpaid hold until its units are back in the ledger',
    buckets: [0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 5, 10, 30],
    registers: [registry],
  });
  const expired = new Counter({
    name: 'quicksale_holds_expired_total',
    help: 'Unpaid holds that this process has ended, with an order or without one',
    registers: [registry],
  });
  return {
    noteReturned: (lateMs) => {
      // The deadline is by the ledger's clock, which may be ahead of this one.
      unsold.observe(Math.max(lateMs, 0) / 1_000);
      expired.inc();
    },
  };
}
