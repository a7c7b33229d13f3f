export interface SaleSettings {
  saleId: string;
  settingsVersion: number;
  state: 'live' | 'paused' | 'closed';
  /** 0 in a standing sale. */
  opensAtMs: number;
  /** 0: never. */
  closesAtMs: number;
  /** 0: none. */
  perBuyerLimit: number;
  /** 0: no payment step. */
  holdMs: number;
  durability: 'safe' | 'fast';
  /** Prices in minor units; `away`: sold in another sale at present. */
  products: readonly { productId: string; price: number; away: boolean }[];
}

export interface ProductCounters {
  last: number;
  next: number;
  available: number;
  held: number;
  gone: number;
}
