import type { StockLedger } from '@quicksale/shared/stock-ledger';
import { requireDone } from '../ledger-answers.ts';
import type { ProductStore } from '../products/product-store.ts';
import { standingSettings } from './sale.ts';
import type { SaleStore } from './sale-store.ts';

export interface PutStandingDeps {
  sales: Pick<SaleStore, 'raiseSettingsVersion' | 'markPut'>;
  products: Pick<ProductStore, 'listLines'>;
  ledger: Pick<StockLedger, 'putSale'>;
}

/**
 * Brings prices and away marks of a merchant's standing sale to the ledger. They are read after the
 * version was raised: whoever has the higher version has read every change that a lower one was
 * raised for, so it does not matter which call reaches the ledger.
 */
export async function putStanding(deps: PutStandingDeps, merchantId: string): Promise<void> {
  const sale = await deps.sales.raiseSettingsVersion(merchantId);
  const lines = await deps.products.listLines(merchantId);
  requireDone(await deps.ledger.putSale(standingSettings(sale, lines), !sale.ledgerReady));
  // Before any unit of the sale can be sold: a ledger that forgets it later has lost it.
  await deps.sales.markPut(sale.id, sale.settingsVersion);
}
