import type { HoldRecord, ProductCounters } from '@quicksale/shared/stock-ledger';

/** Why a sale cannot be judged at present. */
export type Unjudged = 'not_admitted' | 'unknown_sale' | 'fenced';

/** Counters of a product, and how many numbers are in its free set at the same instant. */
export interface BookedProduct extends ProductCounters {
  free: number;
}

/** The counters of a sale at one instant. */
export interface SaleCounters {
  epoch: number;
  /** The ledger's time. */
  nowMs: number;
  records: number;
  settingsVersion: number;
  /** Units that a buyer may own; 0: any number. */
  perBuyerLimit: number;
  products: ReadonlyMap<string, BookedProduct>;
}

/** A record without its facts, and whether its order is still unrecorded. */
export type BookedRecord = Omit<HoldRecord, 'facts' | 'prices'> & { isUnrecorded: boolean };

/**
 * The ledger as the auditor reads it: plain reads that change nothing, in pieces of bounded size.
 * Everything throws AppError `dependency-unavailable` when the ledger is away.
 */
export interface LedgerBooks {
  readCounters(saleId: string): Promise<SaleCounters | Unjudged>;
  /**
   * One piece of the records; a record that is there from the first piece to the last is in one of
   * them. The marks are read after the records: without one, the order is in MongoDB.
   */
  scanRecords(saleId: string, cursor: string): Promise<{ records: BookedRecord[]; next: string }>;
  /** Records of these orders and the epoch at one instant, without a side effect. */
  readRecords(
    saleId: string,
    orderIds: readonly string[],
  ): Promise<{ epoch: number; records: (BookedRecord | undefined)[] } | Unjudged>;
  /** One piece of the numbers that came back, above `after`. */
  listFree(saleId: string, productId: string, after: number): Promise<number[]>;
  /** Those of the units that are free now. */
  findFree(saleId: string, productId: string, units: readonly number[]): Promise<number[]>;
  /** Entries of all shards that wait to be recorded. */
  countUnrecorded(): Promise<number>;
}
