import type { SaleSettings } from '@quicksale/shared/stock-ledger';

/** A merchant's standing sale: always open, no limit, no payment step. Its id is the merchant's. */
export interface Sale {
  id: string;
  kind: 'standing';
  settingsVersion: number;
  /** The ledger knows the sale. From then on an unknown sale there is a lost one. */
  ledgerReady: boolean;
}

/** What the ledger is told of a standing sale. */
export function standingSettings(sale: Sale, lines: SaleSettings['products']): SaleSettings {
  return {
    saleId: sale.id,
    settingsVersion: sale.settingsVersion,
    state: 'live',
    opensAtMs: 0,
    closesAtMs: 0,
    perBuyerLimit: 0,
    holdMs: 0,
    durability: 'safe',
    products: lines,
  };
}
