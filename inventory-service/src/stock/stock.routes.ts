import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { requireVersion, route, shownBy, type Route } from '@quicksale/shared/http';
import {
  findOwnProduct,
  objectId,
  productAnswer,
  productReply,
} from '../products/product-answer.ts';
import type { Product } from '../products/product.ts';
import { receiveUnits, type ReceiveDeps } from './receive-units.ts';
import { setStock, type SetStockDeps, type StockSet } from './set-stock.ts';

/** Stock as an absolute number, after counting the shelf. */
export function stockRoutes(deps: SetStockDeps): Route[] {
  return [
    route(
      {
        operationId: 'setStock',
        method: 'put',
        path: '/api/inventory/products/:id/stock',
        summary: 'Set the stock of a product that you have read',
        access: ['MERCHANT', 'ADMIN'],
        params: z.object({ id: objectId }),
        body: z.strictObject({ stock: z.number().int().min(0).max(1_000_000) }),
        replies: { 200: productReply },
        errors: [
          'not-found',
          'insufficient-stock',
          'version-conflict',
          'precondition-required',
          'sale-fenced',
          'dependency-unavailable',
        ],
      },
      async ({ params: { id }, body: { stock } }, { principal, header }) => {
        const product = await findOwnProduct(deps.products, id, principal);
        if (product.archived)
          throw new AppError('not-found', { message: 'This product is archived' });
        const ifMatch = header('if-match') ?? '';
        requireVersion(header('if-match'), product.version);
        const readStock = shownBy(ifMatch, product.version);
        if (readStock === undefined && ifMatch.trim() !== '*')
          throw new AppError('version-conflict', {
            message: 'Send the ETag of an answer that shows the stock',
          });
        const set = await setStock(deps, {
          product,
          stock,
          ...(readStock !== undefined && { readStock }),
          by: principal.userId,
        });
        return { status: 200, ...(await productAnswer(deps.ledger, setProduct(id, set))) };
      },
    ),
  ];
}

function setProduct(productId: string, set: StockSet): Product {
  switch (set.kind) {
    case 'set':
      return set.product;
    case 'version-conflict':
      throw new AppError('version-conflict');
    case 'insufficient-stock':
      throw new AppError('insufficient-stock', {
        message: 'Units that are held or ordered cannot be taken away',
        extensions: { products: [{ productId, available: set.available }] },
      });
    default:
      return set satisfies never;
  }
}

/** For order-service: units that its orders of the house have moved between two sales. */
export function arrivalRoutes(deps: ReceiveDeps): Route[] {
  return [
    route(
      {
        operationId: 'acknowledgeMovement',
        method: 'post',
        path: '/internal/movements',
        summary: 'Acknowledge units that have moved into a sale',
        access: 'public',
        body: z.strictObject({
          houseOrderId: objectId,
          saleId: objectId,
          productId: objectId,
          units: z.number().int().min(1),
          by: z.string().min(1).max(200),
        }),
        replies: { 200: z.object({ movementId: z.string() }) },
        errors: ['dependency-unavailable'],
      },
      async ({ body }) => ({
        status: 200,
        body: { movementId: await receiveUnits(deps, body) },
      }),
    ),
  ];
}
