import { toAppError } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import type { Movement } from './movement.ts';

/**
 * Brings a movement that was just written to the ledger; false when that has to wait for the runner.
 * A ledger that is away changes nothing about the units: they are the merchant's.
 */
export async function followMovement(
  { ledger, log }: { ledger: Pick<StockLedger, 'raise'>; log: Logger },
  { saleId, productId, lastUnit }: Pick<Movement, 'saleId' | 'productId' | 'lastUnit'>,
): Promise<boolean> {
  try {
    const answer = await ledger.raise(saleId, productId, lastUnit);
    return answer === 'raised' || answer === 'already';
  } catch (error) {
    if (toAppError(error).kind !== 'unavailable') throw error;
    log.warn({ err: error, productId }, 'new units wait for the ledger');
    return false;
  }
}
