import type { CatalogueProduct } from '@quicksale/shared/catalogue';
import type { Clock } from '@quicksale/shared/process';
import type { StockLedger } from '@quicksale/shared/stock-ledger';

/** How long a ledger keeps a key, and ten minutes for clocks that differ. */
const keyLifeMs = 24 * 3_600_000 + 10 * 60_000;

export type EarlierSale =
  | { status: 'found'; saleId: string }
  | { status: 'none' }
  /** A ledger that may know the key cannot be asked now. */
  | { status: 'fenced' | 'not_admitted' };

/** Sales other than `saleId` in which a key may have been used for these products. */
export function earlierSales(
  products: Iterable<CatalogueProduct>,
  nowMs: number,
  saleId: string | undefined,
): string[] {
  const sales = new Set<string>();
  for (const { saleId: present, formerSales = [] } of products) {
    sales.add(present);
    for (const former of formerSales)
      if (former.leftAt.getTime() > nowMs - keyLifeMs) sales.add(former.saleId);
  }
  if (saleId !== undefined) sales.delete(saleId);
  return [...sales];
}

/**
 * The sale in which a key was used before its products came into another one. `askedSaleId` is the
 * sale whose ledger looks for the key itself. For most products there is no other sale:
 * then nobody is asked.
 */
export async function findEarlierSale(
  deps: { clock: Clock; ledger: Pick<StockLedger, 'findKeys'> },
  products: Iterable<CatalogueProduct>,
  key: { digest: string; askedSaleId: string | undefined },
): Promise<EarlierSale> {
  const sales = earlierSales(products, deps.clock.now(), key.askedSaleId);
  if (sales.length === 0) return { status: 'none' };
  const asked = sales.map((saleId) => ({ saleId, digest: key.digest }));
  const lookups = await deps.ledger.findKeys(asked);
  const at = lookups.indexOf('known');
  const found = asked[at];
  if (found) return { status: 'found', saleId: found.saleId };
  if (lookups.includes('not_admitted')) return { status: 'not_admitted' };
  return { status: lookups.every((lookup) => lookup === 'unknown') ? 'none' : 'fenced' };
}
