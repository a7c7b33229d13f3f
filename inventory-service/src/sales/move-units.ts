import { unavailable } from '@quicksale/shared/errors';
import { faultPoint, type Clock } from '@quicksale/shared/process';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import type { ProductStore } from '../products/product-store.ts';
import type { HouseOrders } from '../stock/house-orders.ts';
import type { MovementStore } from '../stock/movement.ts';
import { saveOpen } from './save-sale.ts';
import { closeRound, openRound, type Round, type SaleItem, type TimedSale } from './timed-sale.ts';
import type { TimedSaleStore } from './timed-sale-store.ts';

export interface MoveDeps {
  timedSales: Pick<TimedSaleStore, 'save'>;
  products: Pick<ProductStore, 'raiseVersion'>;
  houseOrders: HouseOrders;
  movements: Pick<MovementStore, 'lastUnit'>;
  ledger: Pick<StockLedger, 'shownStock'>;
  clock: Clock;
}

/** `available`: what the standing sale had when it was not enough. */
export type Allotted =
  | { kind: 'allotted'; sale: TimedSale }
  | { kind: 'short'; sale: TimedSale; productId: string; available: number };

/** Moves in what items lack, round by round. Whatever dies here, the next call goes on with. */
export async function allotUnits(deps: MoveDeps, given: TimedSale): Promise<Allotted> {
  let sale = given;
  for (const { productId } of given.items)
    for (;;) {
      const item = itemOf(sale, productId);
      const lacking = item.stock - item.allotted;
      if (!item.round && lacking <= 0) break;
      const moved = await moveRound(deps, sale, productId, { units: lacking, direction: 'in' });
      sale = moved.sale;
      if (moved.kind === 'short') return { ...moved, productId };
    }
  return { kind: 'allotted', sale };
}

/** Moves everything back that the closed sale still has. Several callers do no harm. */
export async function returnUnits(deps: MoveDeps, given: TimedSale): Promise<TimedSale> {
  let sale = given;
  for (const { productId } of given.items)
    for (;;) {
      const units = itemOf(sale, productId).round
        ? 0
        : await availableUnits(deps, { saleId: sale.id, productId });
      if (!itemOf(sale, productId).round && units === 0) break;
      ({ sale } = await moveRound(deps, sale, productId, { units, direction: 'back' }));
    }
  return sale;
}

/**
 * Units that can be taken out of a sale at this moment; 0 when none were ever brought in. A ledger
 * that was lost, or is just being written anew, does not have those that were.
 */
export async function availableUnits(
  { ledger, movements }: Pick<MoveDeps, 'ledger' | 'movements'>,
  place: { saleId: string; productId: string },
): Promise<number> {
  const [stock] = await ledger.shownStock([place]);
  if (stock) return stock.available;
  if ((await movements.lastUnit(place.saleId, place.productId)) > 0)
    throw unavailable('The stock ledger does not know the units of the sale now');
  return 0;
}

type Moved =
  { kind: 'moved'; sale: TimedSale } | { kind: 'short'; sale: TimedSale; available: number };

/** Makes one round: the one that is written down, else the wanted one. */
async function moveRound(
  deps: MoveDeps,
  given: TimedSale,
  productId: string,
  wanted: Pick<Round, 'units' | 'direction'>,
): Promise<Moved> {
  let sale = given;
  if (!itemOf(sale, productId).round) {
    sale = await saveOpen(deps, openRound(sale, productId, wanted));
    faultPoint('after-round-written');
  }
  const { round } = itemOf(sale, productId);
  if (!round) throw new Error('a round that was written is not there');
  const isIn = round.direction === 'in';
  // Whoever has read the product before can no longer set an absolute stock.
  await deps.products.raiseVersion(productId, new Date(deps.clock.now()));
  const made = await deps.houseOrders.make({
    operationId: round.operationId,
    saleId: isIn ? sale.merchantId : sale.id,
    to: isIn ? sale.id : sale.merchantId,
    by: sale.merchantId,
    reason: 'allotment',
    items: [{ productId, quantity: round.units }],
  });
  faultPoint('after-round-moved');
  sale = await saveOpen(deps, closeRound(sale, productId, made.kind === 'made'));
  faultPoint('after-round-closed');
  switch (made.kind) {
    case 'made':
      return { kind: 'moved', sale };
    case 'insufficient-stock':
      return { kind: 'short', sale, available: made.products[0]?.available ?? 0 };
    case 'hold-gone':
      throw unavailable('order-service spoke of a hold that was not named');
    default:
      return made satisfies never;
  }
}

function itemOf(sale: TimedSale, productId: string): SaleItem {
  const item = sale.items.find((one) => one.productId === productId);
  if (!item) throw new Error(`Sale ${sale.id} has no product ${productId}`);
  return item;
}
