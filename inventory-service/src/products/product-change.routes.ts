import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { refuseOtherVersion, requireVersion, route, type Route } from '@quicksale/shared/http';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import { archiveProduct, changeProduct, type Changed, type ChangeDeps } from './change-product.ts';
import type { Product } from './product.ts';
import { findOwnProduct, objectId, productAnswer, productReply } from './product-answer.ts';
import { productChange } from './product-fields.ts';

export interface ProductChangeRoutesDeps extends ChangeDeps {
  ledger: ChangeDeps['ledger'] & Pick<StockLedger, 'shownStock'>;
}

const path = '/api/inventory/products/:id';
const params = z.object({ id: objectId });

/**
 * Changes of a product by its owner. Archived ones are gone for good: reading, changing and
 * restocking them is 404 for everybody, only their movements can be read and DELETE repeated.
 */
export function productChangeRoutes(deps: ProductChangeRoutesDeps): Route[] {
  return [
    route(
      {
        operationId: 'changeProduct',
        method: 'patch',
        path,
        summary: 'Change a product that you have read',
        access: ['MERCHANT', 'ADMIN'],
        params,
        body: productChange,
        replies: { 200: productReply },
        errors: [
          'not-found',
          'product-in-sale',
          'version-conflict',
          'precondition-required',
          'sale-fenced',
          'dependency-unavailable',
        ],
      },
      async ({ params: { id }, body }, { principal, header }) => {
        const product = await findOwnProduct(deps.products, id, principal);
        if (product.archived)
          throw new AppError('not-found', { message: 'This product is archived' });
        requireVersion(header('if-match'), product.version);
        const changed = changedProduct(await changeProduct(deps, product, body));
        return { status: 200, ...(await productAnswer(deps.ledger, changed)) };
      },
    ),
    route(
      {
        operationId: 'archiveProduct',
        method: 'delete',
        path,
        summary: 'Archive a product',
        access: ['MERCHANT', 'ADMIN'],
        params,
        replies: { 200: productReply },
        errors: ['not-found', 'version-conflict', 'dependency-unavailable'],
      },
      async ({ params: { id } }, { principal, header }) => {
        const product = await findOwnProduct(deps.products, id, principal);
        const ifMatch = header('if-match');
        // Archiving twice is archiving once: a repeat has the version of before the first.
        if (!product.archived) refuseOtherVersion(ifMatch, product.version);
        const thisVersionOnly = ifMatch !== undefined;
        const archived = changedProduct(await archiveProduct(deps, product, { thisVersionOnly }));
        return { status: 200, ...(await productAnswer(deps.ledger, archived)) };
      },
    ),
  ];
}

function changedProduct(changed: Changed): Product {
  switch (changed.kind) {
    case 'changed':
      return changed.product;
    case 'version-conflict':
      throw new AppError('version-conflict');
    case 'product-in-sale':
      throw new AppError('product-in-sale', {
        message: 'The price of a product in a timed sale is the one the sale was made with',
      });
    default:
      return changed satisfies never;
  }
}
