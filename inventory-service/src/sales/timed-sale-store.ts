import type { SaleState, TimedSale } from './timed-sale.ts';

export interface TimedSaleFilter {
  merchantId?: string;
  state?: SaleState;
  /** Sales made before the one with this id. */
  before?: string;
  limit: number;
}

/** Timed sales in MongoDB. Everything throws AppError `dependency-unavailable` when it is away. */
export interface TimedSaleStore {
  insert(sale: TimedSale): Promise<void>;
  find(id: string): Promise<TimedSale | undefined>;
  /** Writes the sale if it is what was read; resolves to what is there then, or to undefined. */
  save(sale: TimedSale): Promise<TimedSale | undefined>;
  /** Newest first; refused ones are not in it. */
  list(filter: TimedSaleFilter, at: Date): Promise<TimedSale[]>;
  /** Sales that the runner has to look at, the longest due first. */
  findDue(at: Date, limit: number): Promise<TimedSale[]>;
  /** Has the runner look at a sale that was thought to be over: units have come into it. */
  wake(id: string, at: Date): Promise<void>;
}
