import { AppError } from '@quicksale/shared/errors';
import { printHoldId, type HoldName, type StockLedger } from '@quicksale/shared/stock-ledger';
import { addItem, type AddedItem } from './cart.ts';
import { changeCart, type ChangeCartDeps } from './change-cart.ts';
import { readProducts, type ReadProductsDeps } from './read-products.ts';

export interface PutItemDeps extends ChangeCartDeps, ReadProductsDeps {
  ledger: ReadProductsDeps['ledger'] & Pick<StockLedger, 'readHolds'>;
}

export interface PutItemInput {
  userId: string;
  productId: string;
  quantity: number;
  holdId?: HoldName;
}

export type PutItemResult = AddedItem | { status: 'unknown_product' } | { status: 'hold_gone' };

/**
 * Puts units of a product into a buyer's cart, at the price that it has now. A hold that is named
 * has to be there, and to have this product; whether it still is at the checkout is seen then.
 */
export async function putItem(
  deps: PutItemDeps,
  { userId, productId, quantity, holdId }: PutItemInput,
): Promise<PutItemResult> {
  const product = (await readProducts(deps, [productId])).get(productId);
  if (!product?.offer || product.archived) return { status: 'unknown_product' };
  const { offer, saleId } = product;
  if (holdId && !(await isUsable(deps, { userId, productId, saleId }, holdId)))
    return { status: 'hold_gone' };
  const item = { productId, quantity, price: offer.price, addedAt: new Date(deps.clock.now()) };
  const hold = holdId && { id: printHoldId(holdId), name: holdId };
  return changeCart<PutItemResult>(deps, userId, (cart) =>
    addItem(cart, { ...item, ...(hold && { hold }) }),
  );
}

async function isUsable(
  { ledger }: PutItemDeps,
  wanted: { userId: string; productId: string; saleId: string },
  hold: HoldName,
): Promise<boolean> {
  if (hold.saleId !== wanted.saleId) return false;
  const held = await ledger.readHolds(hold.saleId, [hold.recordId]);
  if (held === 'fenced') throw new AppError('sale-fenced');
  if (held === 'not_admitted') throw new AppError('dependency-unavailable');
  const record = held.records[0];
  return (
    record?.kind === 'bare' &&
    record.userId === wanted.userId &&
    record.expiresAt > held.nowMs &&
    record.units[wanted.productId] !== undefined
  );
}
