import type { Principal } from '@quicksale/shared/auth';
import type { Clock } from '@quicksale/shared/process';
import { printHoldId, type HoldName, type StockLedger } from '@quicksale/shared/stock-ledger';
import type { ProductStore } from '../products/product-store.ts';
import type { HouseOrders, MadeHouseOrder } from '../stock/house-orders.ts';
import { readBareHold } from './bare-hold.ts';
import type { Confirmation, ConfirmationStore } from './confirmation.ts';

export interface ConfirmHoldDeps {
  ledger: Pick<StockLedger, 'readHolds'>;
  products: Pick<ProductStore, 'findByIds'>;
  confirmations: ConfirmationStore;
  houseOrders: HouseOrders;
  clock: Clock;
}

/**
 * Turns a hold into an order of the house, by the word of the merchant of all its products or of an
 * admin. Asked for again it answers the same, by whichever of them, though the hold is gone: what is
 * repeated is the confirmation that was written first. Somebody else's hold is no different from none.
 */
export async function confirmHold(
  deps: ConfirmHoldDeps,
  hold: HoldName,
  principal: Principal,
): Promise<MadeHouseOrder> {
  const holdId = printHoldId(hold);
  const written = await deps.confirmations.find(holdId);
  const wanted = written ?? (await readConfirmation(deps, hold, principal));
  if (!wanted || !(await mayConfirm(deps, wanted, principal))) return { kind: 'hold-gone' };
  const { saleId, userId, items, by } = written ?? (await deps.confirmations.insert(wanted));
  return deps.houseOrders.make({
    operationId: `confirm:${holdId}`,
    saleId,
    by,
    reason: 'confirmed-hold',
    items,
    holdId: hold.recordId,
    holdUserId: userId,
  });
}

/** What would be confirmed now. */
async function readConfirmation(
  { ledger, clock }: ConfirmHoldDeps,
  hold: HoldName,
  principal: Principal,
): Promise<Confirmation | undefined> {
  const record = await readBareHold(ledger, hold);
  return (
    record && {
      holdId: printHoldId(hold),
      saleId: hold.saleId,
      userId: record.userId,
      items: Object.entries(record.units).map(([productId, numbers]) => ({
        productId,
        quantity: numbers.length,
      })),
      by: principal.userId,
      at: new Date(clock.now()),
    }
  );
}

async function mayConfirm(
  { products }: ConfirmHoldDeps,
  { items }: Confirmation,
  principal: Principal,
): Promise<boolean> {
  if (principal.role === 'ADMIN') return true;
  const found = await products.findByIds(items.map(({ productId }) => productId));
  return (
    found.length === items.length &&
    found.every(({ merchantId }) => merchantId === principal.userId)
  );
}
