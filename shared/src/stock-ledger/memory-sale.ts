import type { HoldRecord } from './hold-record.ts';
import type { ProductCounters, SaleSettings } from './ledger.ts';

/** A sale as the ledger in memory keeps it; one that is being made anew has no settings yet. */
export interface MemorySale {
  settings: Partial<Omit<SaleSettings, 'saleId' | 'products'>> & {
    epoch: number;
    fenced: boolean;
    /** The next one, while the sale is rebuilt. */
    slice?: number;
  };
  lines: Map<string, MemoryLine>;
  free: Map<string, number[]>;
  buyers: Map<string, number>;
  bare: Map<string, number>;
  holds: Map<string, HoldRecord>;
}

export type MemoryLine = Partial<ProductCounters> & { price?: number; away?: boolean };

export const emptySale = () => ({
  lines: new Map<string, MemoryLine>(),
  free: new Map<string, number[]>(),
  buyers: new Map<string, number>(),
  bare: new Map<string, number>(),
  holds: new Map<string, HoldRecord>(),
});
