import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { route, type Route } from '@quicksale/shared/http';
import { money } from '@quicksale/shared/money';
import type { ShownStock, StockLedger } from '@quicksale/shared/stock-ledger';
import { createProduct, type CreateDeps } from './create-product.ts';
import type { Product } from './product.ts';
import { productView } from './product-view.ts';

const objectId = z.string().regex(/^[0-9a-f]{24}$/, '24 hexadecimal digits');
/** Text for people: no control characters, none of them invisible. */
const line = (longest: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(longest)
    .regex(/^\P{C}*$/u, 'no control characters');
const mostUnits = 1_000_000;

const newProduct = z.strictObject({
  name: line(200),
  description: z
    .string()
    .max(5_000)
    .regex(/^[\P{C}\n\r\t]*$/u, 'no control characters'),
  price: money,
  originalPrice: money.optional(),
  stock: z.number().int().min(0).max(mostUnits),
  sku: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'letters, digits, dot, hyphen and underscore'),
  category: line(80),
});

const units = z.number().int().nullable();
const product = z.object({
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
});

export interface ProductRoutesDeps extends CreateDeps {
  ledger: Pick<StockLedger, 'putSale' | 'raise' | 'shownStock'>;
  currency: string;
}

export function productRoutes(deps: ProductRoutesDeps): Route[] {
  return [
    route(
      {
        method: 'post',
        path: '/api/inventory/products',
        summary: 'Create a product',
        access: ['MERCHANT', 'ADMIN'],
        body: newProduct,
        replies: { 201: z.object({ message: z.string(), product }) },
        errors: ['sku-taken', 'sale-fenced', 'dependency-unavailable'],
      },
      async ({ body }, { principal }) => {
        const made = await createProduct(deps, {
          ...body,
          merchantId: principal.userId,
          currency: deps.currency,
        });
        if (made.kind === 'sku-taken')
          throw new AppError('sku-taken', { extensions: { productId: made.productId } });
        return {
          status: 201,
          headers: {
            Location: `/api/inventory/products/${made.product.id}`,
            ETag: etagOf(made.product),
          },
          body: {
            message: 'Product created successfully',
            product: productView(made.product, await readStock(deps, made.product)),
          },
        };
      },
    ),
    route(
      {
        method: 'get',
        path: '/api/inventory/products/:id',
        summary: 'Read a product with its stock at this moment',
        access: 'public',
        params: z.object({ id: objectId }),
        replies: { 200: product },
        errors: ['not-found'],
      },
      async ({ params }) => {
        const found = await deps.products.findById(params.id);
        if (!found) throw new AppError('not-found', { message: 'There is no such product' });
        return {
          status: 200,
          headers: { ETag: etagOf(found) },
          body: productView(found, await readStock(deps, found)),
        };
      },
    ),
  ];
}

const etagOf = ({ version }: Product) => `"${version}"`;

/** A page without a number is better than none. */
async function readStock(
  { ledger }: Pick<ProductRoutesDeps, 'ledger'>,
  { saleId, id }: Product,
): Promise<ShownStock | null> {
  try {
    const [stock] = await ledger.shownStock([{ saleId, productId: id }]);
    return stock ?? null;
  } catch (error) {
    if (error instanceof AppError && error.kind === 'unavailable') return null;
    throw error;
  }
}
