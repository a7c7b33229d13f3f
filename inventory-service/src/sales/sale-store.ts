import type { Sale } from './sale.ts';

/** A sale that the ledger must know, with settings of this version or a later one. */
export interface ReadySale {
  saleId: string;
  putVersion: number;
}

/** Sales in MongoDB. Everything throws AppError `dependency-unavailable` when it is away. */
export interface SaleStore {
  /** Makes a merchant's standing sale; harmless when it is there. */
  createStanding(merchantId: string, at: Date): Promise<void>;
  /** A merchant's standing sale. */
  find(saleId: string): Promise<Sale | undefined>;
  /** Adds 1 to the settings version; resolves to the sale as it is then. */
  raiseSettingsVersion(saleId: string): Promise<Sale>;
  /** The ledger has got this version of the sale's settings: from then on it must know the sale. */
  markPut(saleId: string, settingsVersion: number): Promise<void>;
  /** All sales that the ledger must know, timed ones too. */
  listLedgerReady(): Promise<ReadySale[]>;
}
