import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { isUnchanged, route, type Route } from '@quicksale/shared/http';
import { cursorOf, nextPage, toCursor } from '../cursor.ts';
import { objectId } from '../products/product-answer.ts';
import { createSale, type CreatedSale, type CreateSaleDeps } from './create-sale.ts';
import { saleAnswers, saleReply } from './sale-answer.ts';
import { newSale } from './sale-fields.ts';
import { saleState, saleStates, type Refusal, type TimedSale } from './timed-sale.ts';

const path = '/api/sales';

const listQuery = z.strictObject({
  merchantId: objectId.optional(),
  state: z.enum(saleStates).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: cursorOf(z.tuple([objectId])).optional(),
});

/** Timed sales: making one, and what everybody may read. */
export function saleRoutes(deps: CreateSaleDeps): Route[] {
  const answer = async (sale: TimedSale) => {
    const [one] = await saleAnswers(deps.ledger, [sale], deps.clock.now());
    if (!one) throw new Error('a sale without an answer');
    return one;
  };
  return [
    route(
      {
        operationId: 'createSale',
        method: 'post',
        path,
        summary: 'Create a sale: its units move from your stock into it',
        access: ['MERCHANT', 'ADMIN'],
        body: newSale,
        replies: { 201: saleReply },
        errors: [
          'unknown-product',
          'product-in-sale',
          'insufficient-stock',
          'sale-fenced',
          'dependency-unavailable',
        ],
      },
      async ({ body }, { principal }) => {
        if (body.closesAt.getTime() <= deps.clock.now()) throw notInFuture();
        const sale = createdSale(await createSale(deps, body, principal));
        const { headers, body: shown } = await answer(sale);
        return {
          status: 201,
          headers: { ...headers, Location: `${path}/${sale.id}` },
          body: shown,
        };
      },
    ),
    route(
      {
        operationId: 'readSale',
        method: 'get',
        path: `${path}/:id`,
        summary: 'Read a sale with its stock at this moment',
        access: 'public',
        params: z.object({ id: objectId }),
        replies: { 200: saleReply, 304: undefined },
        errors: ['not-found'],
      },
      async ({ params: { id } }, { header }) => {
        const sale = await deps.timedSales.find(id);
        if (!sale || !saleState(sale, deps.clock.now())) throw noSuchSale();
        const found = await answer(sale);
        return isUnchanged(header('if-none-match'), found.headers.ETag)
          ? { status: 304, headers: found.headers }
          : { status: 200, ...found };
      },
    ),
    route(
      {
        operationId: 'listSales',
        method: 'get',
        path,
        summary: 'List sales, newest first, with their stock at this moment',
        access: 'public',
        query: listQuery,
        replies: {
          200: z.object({
            data: z.array(saleReply),
            page: z.object({ next: z.string().nullable() }),
          }),
        },
        errors: ['dependency-unavailable'],
      },
      async ({ query }) => {
        const { merchantId, state, limit, cursor } = query;
        const nowMs = deps.clock.now();
        const found = await deps.timedSales.list(
          {
            limit: limit + 1,
            ...(merchantId && { merchantId }),
            ...(state && { state }),
            ...(cursor && { before: cursor[0] }),
          },
          new Date(nowMs),
        );
        const shown = found.slice(0, limit);
        const last = found.length > limit ? shown.at(-1) : undefined;
        const next = last ? toCursor([last.id]) : null;
        return {
          status: 200,
          ...(next && { headers: nextPage(path, { ...query, cursor: next }) }),
          body: {
            data: (await saleAnswers(deps.ledger, shown, nowMs)).map((one) => one.body),
            page: { next },
          },
        };
      },
    ),
  ];
}

export const noSuchSale = () => new AppError('not-found', { message: 'There is no such sale' });

export const notInFuture = () =>
  new AppError('validation-failed', {
    message: 'A sale ends after it has opened, and in the future',
    extensions: {
      errors: [{ pointer: '/closesAt', message: 'later than opensAt and than now' }],
    },
  });

function createdSale(created: CreatedSale): TimedSale {
  switch (created.kind) {
    case 'created':
      return created.sale;
    case 'unknown-product':
      throw new AppError('unknown-product', { extensions: { productId: created.productId } });
    case 'several-merchants':
      throw new AppError('validation-failed', {
        message: 'The products of a sale belong to one merchant',
        extensions: { errors: [{ pointer: '/items', message: 'products of one merchant' }] },
      });
    case 'refused':
      throw refusalError(created.refusal);
    default:
      return created satisfies never;
  }
}

function refusalError(refusal: Refusal): AppError {
  switch (refusal.code) {
    case 'product-in-sale':
      return new AppError(refusal.code, { extensions: { productId: refusal.productId } });
    case 'insufficient-stock':
      return new AppError(refusal.code, { extensions: { products: refusal.products } });
    default:
      return refusal satisfies never;
  }
}
