import {
  reserveError,
  type HoldName,
  type HoldRecord,
  type StockLedger,
} from '@quicksale/shared/stock-ledger';

/**
 * A hold without an order, undefined when it is gone. Past its deadline it is, swept or not; the
 * ledger's clock says so. Throws AppError `sale-fenced` or `dependency-unavailable` while the ledger
 * cannot say.
 */
export async function readBareHold(
  ledger: Pick<StockLedger, 'readHolds'>,
  { saleId, recordId }: HoldName,
): Promise<HoldRecord | undefined> {
  const held = await ledger.readHolds(saleId, [recordId]);
  if (typeof held === 'string') throw reserveError({ status: held });
  const [record] = held.records;
  return record?.kind === 'bare' && record.expiresAt > held.nowMs ? record : undefined;
}
