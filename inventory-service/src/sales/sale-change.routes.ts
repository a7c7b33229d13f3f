import { z } from 'zod';
import type { Principal } from '@quicksale/shared/auth';
import { AppError } from '@quicksale/shared/errors';
import {
  refuseOtherVersion,
  requireVersion,
  route,
  type Route,
  type RouteContext,
} from '@quicksale/shared/http';
import { idempotencyDigest } from '@quicksale/shared/idempotency';
import { objectId } from '../products/product-answer.ts';
import type { AdvanceDeps } from './advance-sale.ts';
import { changeSale, restockSale, type RestockedSale } from './change-sale.ts';
import { saleAnswers, saleReply } from './sale-answer.ts';
import { changeTerms, close, pause, resume, type SaleChange } from './sale-changes.ts';
import { saleRestock, saleTerms } from './sale-fields.ts';
import { noSuchSale, notInFuture } from './sales.routes.ts';
import type { TimedSale } from './timed-sale.ts';

const path = '/api/sales/:id';
const params = z.object({ id: objectId });
const access = ['MERCHANT', 'ADMIN'] as const;

/** Changes of a sale by its owner; somebody else's does not exist for them. */
export function saleChangeRoutes(deps: AdvanceDeps): Route[] {
  /** Reads the sale anew each time that a change is decided. */
  const readOwn =
    (id: string, principal: Principal, checkVersion: (version: number) => void) => async () => {
      const sale = await deps.timedSales.find(id);
      const isOwn = principal.role === 'ADMIN' || sale?.merchantId === principal.userId;
      if (!sale || !isOwn || sale.refusal) throw noSuchSale();
      checkVersion(sale.settingsVersion);
      return sale;
    };

  /** An If-Match that is sent counts everywhere; PATCH demands one. */
  const readFor = (id: string, { principal, header }: RouteContext<typeof access>) =>
    readOwn(id, principal, (version) => refuseOtherVersion(header('if-match'), version));

  const answer = async (changed: RestockedSale) => {
    const [one] = await saleAnswers(deps.ledger, [changedSale(changed)], deps.clock.now());
    if (!one) throw new Error('a sale without an answer');
    return { status: 200 as const, ...one };
  };

  const errors = [
    'not-found',
    'sale-state-conflict',
    'version-conflict',
    'sale-fenced',
    'dependency-unavailable',
  ] as const;

  const stateRoute = (name: 'pause' | 'resume' | 'close', summary: string, change: SaleChange) =>
    route(
      {
        operationId: `${name}Sale`,
        method: 'post',
        path: `${path}/${name}`,
        summary,
        access,
        params,
        replies: { 200: saleReply },
        errors,
      },
      async ({ params: { id } }, context) =>
        answer(await changeSale(deps, readFor(id, context), change)),
    );

  return [
    route(
      {
        operationId: 'changeSale',
        method: 'patch',
        path,
        summary: 'Change the terms of a sale: all before it opens, some later',
        access,
        params,
        body: saleTerms,
        replies: { 200: saleReply },
        errors: [...errors, 'unknown-product', 'precondition-required'],
      },
      async ({ params: { id }, body }, { principal, header }) => {
        const read = readOwn(id, principal, (version) =>
          requireVersion(header('if-match'), version),
        );
        return answer(await changeSale(deps, read, changeTerms(body)));
      },
    ),
    stateRoute('pause', 'Stop taking orders until it is resumed', pause),
    stateRoute('resume', 'Take orders again', resume),
    stateRoute('close', 'End a sale for good: what is left goes back into your stock', close),
    route(
      {
        operationId: 'restockSale',
        method: 'post',
        path: `${path}/restock`,
        summary: 'Move further units from your stock into a sale',
        access,
        params,
        body: saleRestock,
        idempotent: 'optional',
        replies: { 200: saleReply },
        errors: [
          ...errors,
          'unknown-product',
          'insufficient-stock',
          'idempotency-key-reused',
          'overloaded',
        ],
      },
      async ({ params: { id }, body }, context) => {
        const { principal, idempotencyKey: key } = context;
        const named = key && {
          id: idempotencyDigest({ userId: principal.userId, route: `POST ${path}/restock`, key }),
        };
        return answer(await restockSale(deps, readFor(id, context), { ...body, ...named }));
      },
    ),
  ];
}

function changedSale(changed: RestockedSale): TimedSale {
  switch (changed.kind) {
    case 'changed':
      return changed.sale;
    case 'wrong-state':
      throw new AppError('sale-state-conflict', {
        message: changed.field
          ? `${changed.field} of a sale that has opened cannot be changed`
          : `A sale that is ${changed.state} does not allow this`,
        extensions: { state: changed.state },
      });
    case 'unknown-product':
      throw new AppError('unknown-product', {
        message: 'The product is not in this sale',
        extensions: { productId: changed.productId },
      });
    case 'key-reused':
      throw new AppError('idempotency-key-reused', {
        message: 'This Idempotency-Key was used for another restock',
      });
    case 'bad-window':
      throw notInFuture();
    case 'insufficient-stock': {
      const { productId, available } = changed;
      throw new AppError('insufficient-stock', {
        extensions: { products: [{ productId, available }] },
      });
    }
    default:
      return changed satisfies never;
  }
}
