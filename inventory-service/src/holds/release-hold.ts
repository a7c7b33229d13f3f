import { reserveError, type HoldName, type StockLedger } from '@quicksale/shared/stock-ledger';
import { readBareHold } from './bare-hold.ts';

/**
 * Gives the units of a buyer's own hold back. `gone`: nothing is held by this buyer under that id,
 * whoever or whatever ended it; somebody else's hold is no different from none.
 */
export async function releaseHold(
  { ledger }: { ledger: Pick<StockLedger, 'readHolds' | 'release'> },
  hold: HoldName,
  userId: string,
): Promise<'released' | 'gone'> {
  const record = await readBareHold(ledger, hold);
  if (record?.userId !== userId) return 'gone';
  const { orderId, units } = record;
  const [answer] = await ledger.release(hold.saleId, [{ orderId, units }]);
  switch (answer) {
    case 'released':
      return 'released';
    // Between the two calls it was released, used or swept.
    case 'already':
    case undefined:
      return 'gone';
    default:
      throw reserveError({ status: answer });
  }
}
