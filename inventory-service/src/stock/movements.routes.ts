import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { route, type Route } from '@quicksale/shared/http';
import { idempotencyDigest } from '@quicksale/shared/idempotency';
import type { Random } from '@quicksale/shared/process';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import { cursorOf, nextPage, toCursor } from '../cursor.ts';
import {
  answerWith,
  findOwnProduct,
  objectId,
  productAnswer,
  productReply,
} from '../products/product-answer.ts';
import {
  movementReasons,
  restockReasons,
  type Movement,
  type MovementPlace,
  type MovementStore,
} from './movement.ts';
import { restockProduct, type RestockDeps } from './restock-product.ts';

const restockPath = '/api/inventory/products/:id/restock';

const restock = z.strictObject({
  units: z.number().int().min(1).max(1_000_000),
  reason: z.enum(restockReasons),
});

const movementReply = z
  .object({
    _id: z.string(),
    saleId: objectId,
    productId: objectId,
    reason: z.enum(movementReasons),
    units: z.number().int(),
    firstUnit: z.number().int(),
    lastUnit: z.number().int(),
    by: z.string(),
    at: z.string(),
  })
  .meta({ id: 'Movement' });

const listQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: cursorOf(z.tuple([z.number().int().min(0).max(8.64e15), z.string().max(200)])).optional(),
});

export interface MovementRoutesDeps extends RestockDeps {
  movements: MovementStore;
  ledger: RestockDeps['ledger'] & Pick<StockLedger, 'shownStock'>;
  random: Random;
}

/** What comes into stock. An archived product gets nothing more; its movements can be read. */
export function movementRoutes(deps: MovementRoutesDeps): Route[] {
  return [
    /**
     * The Idempotency-Key is optional: a person at a desk sends none, and two restocks of ten are
     * twenty. A system that repeats after a lost answer sends one; the repeat adds nothing and
     * answers with the product as it is now. Stock is null when the ledger was away: the units are
     * recorded and follow as soon as it is back.
     */
    route(
      {
        operationId: 'restockProduct',
        method: 'post',
        path: restockPath,
        summary: 'Add units to the stock of a product',
        access: ['MERCHANT', 'ADMIN'],
        params: z.object({ id: objectId }),
        body: restock,
        idempotent: 'optional',
        replies: { 200: productReply },
        errors: ['not-found', 'idempotency-key-reused', 'sale-fenced', 'dependency-unavailable'],
      },
      async ({ params, body }, { principal, idempotencyKey }) => {
        const product = await findOwnProduct(deps.products, params.id, principal);
        const operation = idempotencyKey
          ? idempotencyDigest({
              userId: principal.userId,
              route: `POST ${restockPath}`,
              key: idempotencyKey,
            })
          : deps.random.objectId(deps.clock.now());
        const done = await restockProduct(deps, {
          operationId: `restock:${operation}`,
          product,
          ...body,
          by: principal.userId,
        });
        switch (done.kind) {
          case 'key-reused':
            throw new AppError('idempotency-key-reused', {
              message: 'This Idempotency-Key was used for another restock',
            });
          case 'archived':
            throw new AppError('not-found', { message: 'This product is archived' });
          case 'restocked': {
            // Numbers from before the restock would be read as those after it.
            const { headers, body: shown } = done.isRaised
              ? await productAnswer(deps.ledger, done.product)
              : answerWith(done.product, null);
            const replayed = done.isReplay && { 'Idempotent-Replayed': 'true' };
            return { status: 200, headers: { ...headers, ...replayed }, body: shown };
          }
          default:
            return done satisfies never;
        }
      },
    ),
    route(
      {
        operationId: 'listMovements',
        method: 'get',
        path: '/api/inventory/products/:id/movements',
        summary: 'List what came into the stock of a product, newest first',
        access: ['MERCHANT', 'ADMIN'],
        params: z.object({ id: objectId }),
        query: listQuery,
        replies: {
          200: z.object({
            data: z.array(movementReply),
            page: z.object({ next: z.string().nullable() }),
          }),
        },
        errors: ['not-found', 'dependency-unavailable'],
      },
      async ({ params: { id }, query: { limit, cursor } }, { principal }) => {
        await findOwnProduct(deps.products, id, principal);
        const found = await deps.movements.listOfProduct(id, {
          limit: limit + 1,
          ...(cursor && { after: { at: new Date(cursor[0]), id: cursor[1] } }),
        });
        const shown = found.slice(0, limit);
        const last = found.length > limit ? shown.at(-1) : undefined;
        const next = last ? cursorBehind(last) : null;
        return {
          status: 200,
          ...(next && {
            headers: nextPage(`/api/inventory/products/${id}/movements`, { limit, cursor: next }),
          }),
          body: { data: shown.map(movementView), page: { next } },
        };
      },
    ),
  ];
}

const cursorBehind = ({ at, id }: MovementPlace) => toCursor([at.getTime(), id]);

function movementView({ id, firstUnit, lastUnit, at, ...rest }: Movement) {
  const units = lastUnit - firstUnit + 1;
  return { _id: id, ...rest, units, firstUnit, lastUnit, at: at.toISOString() };
}
