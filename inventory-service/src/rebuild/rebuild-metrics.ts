import { Counter, Gauge, Histogram, type Registry } from '@prometheus-io/client';

/** What a process measures of the rebuilds that it makes. */
export interface RebuildMetrics {
  noteRebuilt(elapsedMs: number): void;
  noteStopped(): void;
  /** Sales that are not live in the ledger, as this process has seen last. */
  noteInDoubt(sales: number): void;
}

export function createRebuildMetrics(registry: Registry): RebuildMetrics {
  const registers = [registry];
  const rebuilds = new Counter({
    name: 'quicksale_ledger_rebuilds_total',
    help: 'Rebuilds of a sale in the stock ledger, by how they ended',
    labelNames: ['outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'quicksale_ledger_rebuild_seconds',
    help: 'From the fence of a sale until it is open again',
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60],
    registers,
  });
  const fenced = new Gauge({
    name: 'quicksale_sales_fenced',
    help: 'Sales that the stock ledger has fenced or lost',
    registers,
  });
  return {
    noteRebuilt: (elapsedMs) => {
      rebuilds.inc({ outcome: 'open' });
      seconds.observe(elapsedMs / 1_000);
    },
    noteStopped: () => rebuilds.inc({ outcome: 'stopped' }),
    noteInDoubt: (sales) => fenced.set(sales),
  };
}
