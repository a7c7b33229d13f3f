import { toAppError } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { Clock } from '@quicksale/shared/process';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import type { TimedSaleStore } from '../sales/timed-sale-store.ts';
import type { Movement } from './movement.ts';

export interface FollowMovementDeps {
  ledger: Pick<StockLedger, 'raise'>;
  timedSales: Pick<TimedSaleStore, 'wake'>;
  clock: Clock;
  log: Logger;
}

/** Long enough for the ledger to have been raised, should nobody be left to say so. */
const guardMs = 2_000;

/**
 * Brings a movement that was just written to the ledger; false when that has to wait for the runner.
 * A ledger that is away changes nothing about the units: they are the merchant's. They may come into
 * a sale that has given everything back already, so it is woken: before, lest a death in between
 * leave them there, and after.
 */
export async function followMovement(
  { ledger, timedSales, clock, log }: FollowMovementDeps,
  { saleId, productId, lastUnit }: Pick<Movement, 'saleId' | 'productId' | 'lastUnit'>,
): Promise<boolean> {
  await timedSales.wake(saleId, new Date(clock.now() + guardMs));
  try {
    const answer = await ledger.raise(saleId, productId, lastUnit);
    await timedSales.wake(saleId, new Date(clock.now()));
    return answer === 'raised' || answer === 'already';
  } catch (error) {
    if (toAppError(error).kind !== 'unavailable') throw error;
    log.warn({ err: error, productId }, 'new units wait for the ledger');
    return false;
  }
}
