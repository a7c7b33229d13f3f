import { z } from 'zod';
import type { Principal } from '@quicksale/shared/auth';
import { route, type Route } from '@quicksale/shared/http';
import type { Clock } from '@quicksale/shared/process';
import { objectId } from '../products/product-answer.ts';
import { noSuchSale } from '../sales/sales.routes.ts';
import type { TimedSaleStore } from '../sales/timed-sale-store.ts';
import { auditReport, type AuditReportDeps } from './audit-report.ts';
import { asCsv, asJson } from './report-format.ts';

export interface AuditRoutesDeps extends AuditReportDeps {
  timedSales: Pick<TimedSaleStore, 'find'>;
  clock: Clock;
}

const units = z.number().int();
const known = units.nullable();

/** The books of a sale in an answer; `units` has a line per unit and order that had it. */
export const auditReply = z
  .object({
    saleId: objectId,
    kind: z.enum(['standing', 'timed']),
    at: z.string(),
    epoch: known,
    products: z.array(
      z.object({
        productId: objectId,
        lastUnit: units,
        available: known,
        held: known,
        committed: known,
        gone: known,
      }),
    ),
    movements: z.array(
      z.object({
        movementId: z.string(),
        productId: objectId,
        reason: z.string(),
        units,
        firstUnit: units,
        lastUnit: units,
        by: z.string(),
        at: z.string(),
      }),
    ),
    units: z.array(
      z.object({
        productId: objectId,
        unit: units,
        orderId: objectId,
        orderNumber: z.string(),
        kind: z.enum(['order', 'house']),
        userId: z.string(),
        place: z.enum(['held', 'sold', 'given-back']),
        status: z.string(),
        takenAt: z.string(),
        at: z.string(),
        by: z.string(),
        reason: z.string(),
      }),
    ),
    refusals: z.array(z.object({ reason: z.string(), count: units })),
    drifts: z.array(
      z.object({
        drift: z.string(),
        productId: z.string().nullable(),
        unit: known,
        orderId: z.string().nullable(),
        expected: known,
        found: known,
      }),
    ),
    verdict: z.enum(['ok', 'drift', 'unjudged']),
    reason: z.string(),
  })
  .meta({ id: 'AuditReport' });

/** The books of a sale, for its owner; somebody else's sale does not exist for them. */
export function auditRoutes(deps: AuditRoutesDeps): Route[] {
  async function findOwn(saleId: string, { role, userId }: Principal) {
    const timed = await deps.timedSales.find(saleId);
    const isOwn = role === 'ADMIN' || userId === (timed?.merchantId ?? saleId);
    if (!isOwn || timed?.refusal) throw noSuchSale();
    if (timed) return { saleId, kind: 'timed' } as const;
    if (!(await deps.history.hasStanding(saleId))) throw noSuchSale();
    return { saleId, kind: 'standing' } as const;
  }

  return [
    route(
      {
        operationId: 'auditSale',
        method: 'get',
        path: '/api/sales/:id/audit',
        summary: 'Read the books of a sale: every unit, every movement, and whether they agree',
        access: ['MERCHANT', 'ADMIN'],
        params: z.object({ id: objectId }),
        query: z.strictObject({ format: z.enum(['json', 'csv']).optional() }),
        replies: { 200: auditReply },
        errors: ['not-found', 'dependency-unavailable'],
      },
      async ({ params: { id }, query }, { principal, header }) => {
        const sale = await findOwn(id, principal);
        const lines = auditReport(deps, sale, new Date(deps.clock.now()));
        const format = query.format ?? (header('accept')?.includes('text/csv') ? 'csv' : 'json');
        if (format === 'json')
          return { status: 200, stream: { type: 'application/json', chunks: asJson(lines) } };
        return {
          status: 200,
          headers: { 'Content-Disposition': `attachment; filename="audit-${id}.csv"` },
          stream: { type: 'text/csv', chunks: asCsv(lines) },
        };
      },
    ),
  ];
}
