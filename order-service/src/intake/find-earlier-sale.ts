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

/**
 * The sale in which a key was used before its products came into another one. `refusedBy` is the
 * sale whose ledger has just looked for the key itself. For most products there is no other sale:
 * then nobody is asked.
 */
export async function findEarlierSale(
  deps: { clock: Clock; ledger: Pick<StockLedger, 'findKeys'> },
  products: Iterable<CatalogueProduct>,
  key: { digest: string; refusedBy: string | undefined },
): Promise<EarlierSale> {
  const since = deps.clock.now() - keyLifeMs;
  const sales = new Set<string>();
  for (const { saleId, formerSales = [] } of products) {
    sales.add(saleId);
    for (const former of formerSales) if (former.leftAt.getTime() > since) sales.add(former.saleId);
  }
  if (key.refusedBy !== undefined) sales.delete(key.refusedBy);
  if (sales.size === 0) return { status: 'none' };
  const asked = [...sales].map((saleId) => ({ saleId, digest: key.digest }));
  const lookups = await deps.ledger.findKeys(asked);
  const at = lookups.indexOf('known');
  const found = asked[at];
  if (found) return { status: 'found', saleId: found.saleId };
  if (lookups.includes('not_admitted')) return { status: 'not_admitted' };
  return { status: lookups.every((lookup) => lookup === 'unknown') ? 'none' : 'fenced' };
}
