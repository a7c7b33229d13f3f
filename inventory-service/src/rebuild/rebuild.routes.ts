import { z } from 'zod';
import { AppError, unavailable } from '@quicksale/shared/errors';
import { route, type Route } from '@quicksale/shared/http';
import { objectId } from '../products/product-answer.ts';
import { RebuildStopped } from './rebuild-lease.ts';
import { rebuildNow, type RunRebuildsDeps } from './run-rebuilds.ts';
import { readSettings } from './sale-settings.ts';

const count = z.number().int();

/** For operators: a sale is fenced, written back and opened again. */
export function rebuildRoutes(deps: RunRebuildsDeps): Route[] {
  return [
    route(
      {
        operationId: 'rebuildSale',
        method: 'post',
        path: '/internal/sales/:id/rebuild',
        summary: 'Write the ledger of a sale anew',
        access: 'public',
        params: z.object({ id: objectId }),
        replies: {
          200: z.object({
            ...{ epoch: count, unrecorded: count, orders: count, records: count },
            ...{ keys: count, products: count, elapsedMs: z.number() },
          }),
        },
        errors: ['not-found', 'dependency-unavailable'],
      },
      async ({ params: { id } }) => {
        if (!(await readSettings(deps, id))) throw new AppError('not-found');
        try {
          const rebuilt = await rebuildNow(deps, id);
          if (rebuilt) return { status: 200, body: rebuilt };
        } catch (error) {
          if (!(error instanceof RebuildStopped)) throw error;
          throw unavailable('The rebuild was stopped: ask again', error);
        }
        throw unavailable('The sale is being rebuilt: ask again');
      },
    ),
  ];
}
