import { z } from 'zod';
import { route, type Route } from '@quicksale/shared/http';
import { fromWire, toWire } from '@quicksale/shared/money';
import { cursorOf, nextPage, toCursor } from '../cursor.ts';
import { listProducts, type ListDeps } from './list-products.ts';
import { sorts, wordsOf } from './listing.ts';
import { objectId, productReply } from './product-answer.ts';
import { productView } from './product-view.ts';

const path = '/api/inventory/products';
const mostWords = 8;

const amount = z
  .string()
  .regex(/^\d{1,10}(\.\d{1,2})?$/, 'an amount with at most two decimals')
  .transform((text) => fromWire(Number(text)));

const search = z
  .string()
  .max(100)
  .refine((text) => {
    const { length } = wordsOf(text);
    return length >= 1 && length <= mostWords;
  }, `1 to ${mostWords} words of letters and digits`);

const listQuery = z
  .strictObject({
    search: search.optional(),
    category: z.string().trim().min(1).max(80).optional(),
    minPrice: amount.optional(),
    maxPrice: amount.optional(),
    inStock: z.enum(['true', 'false']).optional(),
    sort: z.enum(sorts).default('newest'),
    limit: z.coerce.number().int().min(1).max(100).default(20),
    cursor: cursorOf(
      z.tuple([z.enum(sorts), z.union([z.number(), z.string().max(1_000)]), objectId]),
    ).optional(),
  })
  .refine(({ minPrice = 0, maxPrice = Infinity }) => minPrice <= maxPrice, {
    path: ['maxPrice'],
    message: 'not less than minPrice',
  })
  .refine(({ cursor, sort }) => !cursor || cursor[0] === sort, {
    path: ['cursor'],
    message: 'a cursor of a list in another order',
  });

/** The catalogue for buyers: what is archived is not in it. */
export function productListRoutes(deps: ListDeps): Route[] {
  return [
    route(
      {
        operationId: 'listProducts',
        method: 'get',
        path,
        summary: 'List products with their stock at this moment',
        access: 'public',
        query: listQuery,
        replies: {
          200: z.object({
            data: z.array(productReply),
            page: z.object({ next: z.string().nullable() }),
          }),
        },
        errors: ['dependency-unavailable'],
      },
      async ({ query }) => {
        const { category, minPrice, maxPrice, inStock, sort, cursor, limit } = query;
        const page = await listProducts(deps, {
          filter: {
            ...(query.search !== undefined && { words: wordsOf(query.search) }),
            ...(category !== undefined && { category }),
            ...(minPrice !== undefined && { minPrice }),
            ...(maxPrice !== undefined && { maxPrice }),
          },
          ...(inStock && { inStock: inStock === 'true' }),
          sort,
          ...(cursor && { after: [cursor[1], cursor[2]] }),
          limit,
        });
        const next = page.next ? toCursor([sort, ...page.next]) : null;
        const again = {
          ...query,
          minPrice: minPrice === undefined ? undefined : toWire(minPrice),
          maxPrice: maxPrice === undefined ? undefined : toWire(maxPrice),
        };
        return {
          status: 200,
          ...(next && { headers: nextPage(path, { ...again, cursor: next }) }),
          body: {
            data: page.products.map(({ product, stock }) => productView(product, stock)),
            page: { next },
          },
        };
      },
    ),
  ];
}
