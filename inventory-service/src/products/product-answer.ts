import { z } from 'zod';
import type { Principal } from '@quicksale/shared/auth';
import { AppError } from '@quicksale/shared/errors';
import { entityTag } from '@quicksale/shared/http';
import type { ShownStock, StockLedger } from '@quicksale/shared/stock-ledger';
import type { Product } from './product.ts';
import type { ProductStore } from './product-store.ts';
import { productView } from './product-view.ts';

export const objectId = z.string().regex(/^[0-9a-f]{24}$/, '24 hexadecimal digits');

const units = z.number().int().nullable();

/** A product in an answer. */
export const productReply = z
  .object({
    _id: objectId,
    merchantId: objectId,
    saleId: objectId,
    sku: z.string(),
    name: z.string(),
    description: z.string(),
    category: z.string(),
    price: z.number(),
    originalPrice: z.number().optional(),
    currency: z.string(),
    stock: units,
    reserved: units,
    available: units,
    archived: z.boolean(),
    version: z.number().int(),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: 'Product' });

export type StockReader = Pick<StockLedger, 'shownStock'>;

/** A product with its stock at this moment, and the entity tag of just that. */
export async function productAnswer(ledger: StockReader, product: Product) {
  return answerWith(product, (await readStock(ledger, [product]))?.[0] ?? null);
}

/** A product with this stock; null: not known. */
export function answerWith(product: Product, stock: ShownStock | null) {
  const shown = stock ? [stock.stock, stock.available] : [];
  return {
    headers: { ETag: entityTag(product.version, ...shown) },
    body: productView(product, stock),
  };
}

/** Undefined when the ledger is away: a page without numbers is better than none. */
export async function readStock(
  ledger: StockReader,
  products: readonly Pick<Product, 'id' | 'saleId'>[],
): Promise<(ShownStock | null)[] | undefined> {
  try {
    return await ledger.shownStock(products.map(({ saleId, id }) => ({ saleId, productId: id })));
  } catch (error) {
    if (error instanceof AppError && error.kind === 'unavailable') return undefined;
    throw error;
  }
}

export const noSuchProduct = () =>
  new AppError('not-found', { message: 'There is no such product' });

/** A product that its caller may change or look into; somebody else's does not exist. */
export async function findOwnProduct(
  products: Pick<ProductStore, 'findById'>,
  id: string,
  principal: Principal,
): Promise<Product> {
  const found = await products.findById(id);
  if (!found || (principal.role !== 'ADMIN' && found.merchantId !== principal.userId))
    throw noSuchProduct();
  return found;
}
