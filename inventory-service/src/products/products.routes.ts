import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { isUnchanged, route, type Route } from '@quicksale/shared/http';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import { createProduct, type CreateDeps } from './create-product.ts';
import { noSuchProduct, objectId, productAnswer, productReply } from './product-answer.ts';
import { newProduct } from './product-fields.ts';

export interface ProductRoutesDeps extends CreateDeps {
  ledger: Pick<StockLedger, 'putSale' | 'raise' | 'shownStock'>;
  currency: string;
}

export function productRoutes(deps: ProductRoutesDeps): Route[] {
  return [
    route(
      {
        operationId: 'createProduct',
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
        operationId: 'readProduct',
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
        if (!found || found.archived) throw noSuchProduct();
        const answer = await productAnswer(deps.ledger, found);
        return isUnchanged(header('if-none-match'), answer.headers.ETag)
          ? { status: 304, headers: answer.headers }
          : { status: 200, ...answer };
      },
    ),
  ];
}
