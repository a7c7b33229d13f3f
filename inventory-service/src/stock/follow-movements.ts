import { unavailable } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { Clock } from '@quicksale/shared/process';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import type { SaleStore } from '../sales/sale-store.ts';
import type { TimedSaleStore } from '../sales/timed-sale-store.ts';
import type { Commitment, MovementStore } from './movement.ts';

export interface FollowDeps {
  sales: Pick<SaleStore, 'listLedgerReady'>;
  movements: Pick<MovementStore, 'listCommitments' | 'listCommitmentsSince'>;
  ledger: Pick<StockLedger, 'lastUnits' | 'raise'>;
  timedSales: Pick<TimedSaleStore, 'wake'>;
  clock: Clock;
  log: Logger;
}

/** Far more than clocks differ and a store is away; what is older waits for the whole walk. */
const recentMs = 10 * 60_000;

/** Raises what movements of the last minutes have and the ledger lacks. */
export async function followRecentMovements(deps: FollowDeps): Promise<void> {
  const since = new Date(deps.clock.now() - recentMs);
  const found = await deps.movements.listCommitmentsSince(since);
  const bySale = Map.groupBy(found, ({ saleId }) => saleId);
  for (const [saleId, commitments] of bySale) await followSale(deps, saleId, commitments);
}

/** Raises what any movement has and the ledger lacks: it may have forgotten old ones. */
export async function followAllMovements(deps: FollowDeps): Promise<void> {
  for (const { saleId } of await deps.sales.listLedgerReady())
    await followSale(deps, saleId, await deps.movements.listCommitments(saleId));
}

/** One read of the ledger tells what is missing; as a rule that is nothing. */
async function followSale(
  { ledger, timedSales, clock, log }: FollowDeps,
  saleId: string,
  commitments: readonly Commitment[],
): Promise<void> {
  const highest = new Map<string, number>();
  for (const { productId, lastUnit } of commitments)
    highest.set(productId, Math.max(lastUnit, highest.get(productId) ?? 0));
  const known = await ledger.lastUnits(saleId, [...highest.keys()]);
  const lacking = [...highest].filter(([, lastUnit], index) => (known[index] ?? 0) < lastUnit);
  for (const [productId, lastUnit] of lacking) {
    const answer = await ledger.raise(saleId, productId, lastUnit);
    switch (answer) {
      case 'raised':
        log.warn({ saleId, productId, lastUnit }, 'raised units that the ledger lacked');
        await timedSales.wake(saleId, new Date(clock.now()));
        break;
      case 'already':
        break;
      case 'fenced':
        log.debug({ saleId }, 'movements wait for their sale');
        return;
      case 'not_admitted':
        throw unavailable('The stock ledger is being checked');
      default:
        return answer satisfies never;
    }
  }
}
