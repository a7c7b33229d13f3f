import { z } from 'zod';
import { route, type Route } from '@quicksale/shared/http';
import { objectId } from '@quicksale/shared/orders';
import { recordSale, type RecordSaleDeps } from './record-sale.ts';

/** For inventory-service, which is about to write the ledger of a fenced sale anew. */
export function rebuildRoutes(deps: RecordSaleDeps): Route[] {
  return [
    route(
      {
        operationId: 'recordSale',
        method: 'post',
        path: '/internal/sales/:id/record',
        summary: 'Record the unrecorded holds of a fenced sale',
        access: 'public',
        params: z.object({ id: objectId }),
        replies: { 200: z.object({ holds: z.number(), recorded: z.number() }) },
        errors: ['dependency-unavailable'],
      },
      async ({ params: { id } }) => ({ status: 200, body: { ...(await recordSale(deps, id)) } }),
    ),
  ];
}
