import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { isUnchanged, route, type Route } from '@quicksale/shared/http';
import { money } from '@quicksale/shared/money';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import { createProduct, type CreateDeps } from './create-product.ts';
import { noSuchProduct, objectId, productAnswer, productReply } from './product-answer.ts';

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
        replies: { 201: z.object({ message: z.string(), product: productReply }) },
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
        const { headers, body: shown } = await productAnswer(deps.ledger, made.product);
        return {
          status: 201,
          headers: { ...headers, Location: `/api/inventory/products/${made.product.id}` },
          body: { message: 'Product created successfully', product: shown },
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
        replies: { 200: productReply, 304: undefined },
        errors: ['not-found'],
      },
      async ({ params }, { header }) => {
        const found = await deps.products.findById(params.id);
        if (!found) throw noSuchProduct();
        const answer = await productAnswer(deps.ledger, found);
        return isUnchanged(header('if-none-match'), answer.headers.ETag)
          ? { status: 304, headers: answer.headers }
          : { status: 200, ...answer };
      },
    ),
  ];
}
