import type { SaleSettings } from '@quicksale/shared/stock-ledger';
import type { ProductStore } from '../products/product-store.ts';
import { standingSettings } from '../sales/sale.ts';
import type { SaleStore } from '../sales/sale-store.ts';
import { timedSettings } from '../sales/timed-sale.ts';
import type { TimedSaleStore } from '../sales/timed-sale-store.ts';

export interface SettingsDeps {
  sales: Pick<SaleStore, 'find'>;
  timedSales: Pick<TimedSaleStore, 'find'>;
  products: Pick<ProductStore, 'listLines'>;
}

/**
 * What the ledger has to know of a sale, or undefined when there is no such sale. The version is read
 * before the lines: every change that it was raised for is in them, and a later one has a higher
 * version, which the ledger takes once it is open.
 */
export async function readSettings(
  deps: SettingsDeps,
  saleId: string,
): Promise<SaleSettings | undefined> {
  const timed = await deps.timedSales.find(saleId);
  if (timed) return timedSettings(timed);
  const standing = await deps.sales.find(saleId);
  return standing && standingSettings(standing, await deps.products.listLines(saleId));
}
