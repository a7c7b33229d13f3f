import type { Sale } from './sale.ts';

/** Sales in MongoDB. Everything throws AppError `dependency-unavailable` when it is away. */
export interface SaleStore {
  /** Makes a merchant's standing sale; harmless when it is there. */
  createStanding(merchantId: string, at: Date): Promise<void>;
  /** A merchant's standing sale. */
  find(saleId: string): Promise<Sale | undefined>;
  /** Adds 1 to the settings version; resolves to the sale as it is then. */
  raiseSettingsVersion(saleId: string): Promise<Sale>;
  markLedgerReady(saleId: string): Promise<void>;
  /** Ids of all sales that the ledger must know. */
  listLedgerReady(): Promise<string[]>;
}
