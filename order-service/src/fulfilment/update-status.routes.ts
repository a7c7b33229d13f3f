import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { refuseOtherVersion, route, type Route } from '@quicksale/shared/http';
import { objectId, reason } from '@quicksale/shared/orders';
import { merchantOrderReply, merchantOrderView } from './merchant-order-view.ts';
import {
  merchantStatuses,
  updateStatus,
  type MerchantStatus,
  type UpdateStatusDeps,
  type UpdateStatusResult,
} from './update-status.ts';

const statusBody = z
  .strictObject({
    status: z.enum(merchantStatuses),
    /** Of the parcel: with SHIPPED, and only with it. */
    trackingNumber: z
      .string()
      .max(100)
      .regex(/^[!-~]([ -~]*[!-~])?$/, 'printable ASCII')
      .optional(),
    /** Why; an order is not cancelled without. */
    reason: reason.optional(),
  })
  .superRefine(({ status, trackingNumber, reason }, context) => {
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    if (status === 'SHIPPED' && !trackingNumber) refuse('trackingNumber', 'required to ship');
    if (status !== 'SHIPPED' && trackingNumber) refuse('trackingNumber', 'only with SHIPPED');
    if (status === 'CANCELLED' && !reason) refuse('reason', 'required to cancel');
  });

/** PUT /api/orders/:id/status: what its merchant does with an order. */
export function updateStatusRoutes(deps: UpdateStatusDeps): Route[] {
  return [
    route(
      {
        operationId: 'updateOrderStatus',
        method: 'put',
        path: '/api/orders/:id/status',
        summary: 'Process, ship, deliver or cancel an order of your products',
        access: ['MERCHANT', 'ADMIN'],
        params: z.object({ id: objectId }),
        body: statusBody,
        replies: { 200: merchantOrderReply },
        errors: [
          'not-found',
          'order-state-conflict',
          'version-conflict',
          'overloaded',
          'dependency-unavailable',
        ],
      },
      async ({ params, body }, { principal, header }) => {
        const { status, trackingNumber, reason } = body;
        const result = await updateStatus(deps, principal, {
          orderId: params.id,
          status,
          ...(trackingNumber && { trackingNumber }),
          ...(reason && { reason }),
          check: ({ version }) => refuseOtherVersion(header('if-match'), version),
        });
        if (result.status !== 'done') throw refusal(result, status);
        const { order } = result;
        return {
          status: 200,
          headers: { ETag: `"${order.version}"` },
          body: merchantOrderView(order),
        };
      },
    ),
  ];
}

function refusal(
  result: Exclude<UpdateStatusResult, { status: 'done' }>,
  wanted: MerchantStatus,
): AppError {
  if (result.status === 'not_found')
    return new AppError('not-found', { message: 'There is no such order of your products' });
  const { order, allowed } = result;
  const messages = {
    unchecked: 'The order is not checked yet: its units are still being looked for, try again soon',
    other_shipment: 'The order was shipped under another tracking number',
    not_allowed: `An order that is ${order.status} cannot become ${wanted}`,
  };
  return new AppError('order-state-conflict', {
    message: messages[result.status],
    extensions: { currentStatus: order.status, allowed },
  });
}
