import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { route, type Route } from '@quicksale/shared/http';
import { idempotencyDigest } from '@quicksale/shared/idempotency';
import { money, toWire } from '@quicksale/shared/money';
import { objectId, type Order, reason } from '@quicksale/shared/orders';
import { findSoldOrder } from '../fulfilment/sold-order.ts';
import type { EarlyAnswers } from '../intake/early-answers.ts';
import { missingOrder } from '../orders/read-order.ts';
import { confirmPayment } from './confirm-payment.ts';
import { openPayment } from './open-payment.ts';
import type { PaymentDeps } from './payment-deps.ts';
import { methodToken } from './payment-methods.routes.ts';
import type { MethodStore } from './payment-store.ts';
import { paymentReply, paymentView } from './payment-view.ts';
import { refundPayment } from './refund-payment.ts';

export interface PaymentRoutesDeps extends PaymentDeps {
  methods: MethodStore;
  early: Pick<EarlyAnswers, 'complete'>;
}

const page = z.object({
  data: z.array(paymentReply),
  page: z.object({ next: z.string().nullable() }),
});

const notFound = () => new AppError('not-found', { message: 'There is no such payment' });

const stateConflict = (message: string, { status: currentStatus }: Order) =>
  new AppError('order-state-conflict', { message, extensions: { currentStatus } });

/** A buyer's own payments, and refunds by those who may give them. */
export function paymentRoutes(deps: PaymentRoutesDeps): Route[] {
  return [
    ...[openRoute(deps), confirmRoute(deps), refundRoute(deps)],
    // Before the route of any id.
    ...[historyRoute(deps), readRoute(deps)],
  ];
}

function openRoute(deps: PaymentRoutesDeps): Route {
  return route(
    {
      operationId: 'openPayment',
      method: 'post',
      path: '/api/payments/intent',
      summary: 'Begin to pay one of your orders',
      access: 'signed-in',
      body: z.strictObject({ orderId: objectId }),
      idempotent: 'stored',
      replies: { 200: paymentReply, 201: paymentReply },
      errors: [
        'not-found',
        'order-state-conflict',
        'idempotency-key-reused',
        'request-in-progress',
        'order-being-recorded',
        'dependency-unavailable',
      ],
    },
    async ({ body: { orderId } }, { principal }) => {
      const order = await findOwnOrder(deps, principal.userId, orderId);
      const result = await openPayment(deps, order);
      if (result.status === 'not_payable')
        throw stateConflict('The order is not waiting to be paid', result.order);
      const body = paymentView(result.payment);
      return result.isNew ? { status: 201, body } : { status: 200, body };
    },
  );
}

/** One that was answered early is written first. */
async function findOwnOrder(
  { orders, early, clock }: PaymentRoutesDeps,
  userId: string,
  orderId: string,
): Promise<Order> {
  const order =
    (await orders.findOwn(userId, orderId)) ??
    ((await early.complete(userId, orderId)) ? await orders.findOwn(userId, orderId) : undefined);
  if (order) return order;
  if (missingOrder(orderId, clock.now()).status === 'not_found')
    throw new AppError('not-found', { message: 'You have no such order' });
  throw new AppError('order-being-recorded', { retryAfterSeconds: 1 });
}

function confirmRoute(deps: PaymentRoutesDeps): Route {
  const path = '/api/payments/confirm';
  return route(
    {
      operationId: 'confirmPayment',
      method: 'post',
      path,
      summary: 'Pay by a method that you have stored, or by a token of the payment provider',
      access: 'signed-in',
      body: z.strictObject({
        paymentId: objectId,
        method: methodToken.meta({
          description:
            'A token of the payment provider, or the id of a stored method. The simulator knows sim_ok, sim_declined, sim_insufficient_funds, sim_delayed, sim_late, sim_duplicate, sim_webhook_first and sim_answer_lost.',
        }),
      }),
      idempotent: 'stored',
      replies: { 200: paymentReply, 202: paymentReply },
      errors: [
        'payment-declined',
        'not-found',
        'order-state-conflict',
        'idempotency-key-reused',
        'request-in-progress',
        'dependency-unavailable',
      ],
    },
    async ({ body }, { principal: { userId }, idempotencyKey: key }) => {
      const result = await confirmPayment(deps, {
        userId,
        paymentId: body.paymentId,
        methodToken: await tokenOf(deps, userId, body.method),
        digest: idempotencyDigest({
          userId,
          route: `POST ${path}`,
          key: `${body.paymentId} ${key}`,
        }),
      });
      switch (result.status) {
        case 'paid':
          return { status: 200, body: paymentView(result.payment) };
        case 'processing':
          return { status: 202, body: paymentView(result.payment) };
        case 'declined':
          throw new AppError('payment-declined', {
            extensions: { declineCode: result.payment.declineCode ?? 'declined' },
          });
        case 'not_found':
          throw notFound();
        case 'in_progress':
          throw new AppError('request-in-progress', {
            message: 'Another attempt to pay this order is under way',
            retryAfterSeconds: 1,
          });
        case 'too_many_attempts':
          throw stateConflict('Too many attempts to pay this order', result.order);
        case 'not_payable':
          throw stateConflict(
            result.hasRepaid
              ? `The order was ${result.order.status} before the money came: it goes back to you`
              : 'The order is not waiting to be paid',
            result.order,
          );
      }
    },
  );
}

/** An id of a stored method has the form of all ids; anything else is the provider's token. */
async function tokenOf({ methods }: PaymentRoutesDeps, userId: string, method: string) {
  if (!objectId.safeParse(method).success) return method;
  const stored = await methods.findOwn(userId, method);
  if (!stored) throw new AppError('not-found', { message: 'You have stored no such method' });
  return stored.token;
}

function refundRoute(deps: PaymentRoutesDeps): Route {
  const path = '/api/payments/:id/refund';
  return route(
    {
      operationId: 'refundPayment',
      method: 'post',
      path,
      summary: 'Send money back: all of it, which ends the order, or part of it as a goodwill',
      access: ['MERCHANT', 'ADMIN', 'SUPPORT'],
      params: z.object({ id: objectId }),
      body: z.strictObject({
        amount: money.refine((minor) => minor > 0, 'must be more than nothing').optional(),
        reason,
      }),
      idempotent: 'stored',
      replies: { 200: paymentReply },
      errors: [
        'not-found',
        'order-state-conflict',
        'idempotency-key-reused',
        'request-in-progress',
        'dependency-unavailable',
      ],
    },
    async ({ params, body }, { principal: { userId, role }, idempotencyKey: key }) => {
      const result = await refundPayment(deps, {
        paymentId: params.id,
        ...(role === 'MERCHANT' && { merchantId: userId }),
        ...body,
        by: userId,
        digest: idempotencyDigest({ userId, route: `POST ${path}`, key: `${params.id} ${key}` }),
      });
      switch (result.status) {
        case 'refunded':
          return { status: 200, body: paymentView(result.payment) };
        case 'not_found':
          throw notFound();
        case 'nothing_kept':
          throw stateConflict('Nothing is left of the payment that could go back', result.order);
        case 'too_much':
          throw stateConflict(
            `No more than ${toWire(result.kept).toFixed(2)} is left of the payment`,
            result.order,
          );
      }
    },
  );
}

function historyRoute({ payments }: PaymentRoutesDeps): Route {
  return route(
    {
      operationId: 'listPayments',
      method: 'get',
      path: '/api/payments/history',
      summary: 'List your payments, those of the newest orders first',
      access: 'signed-in',
      query: z.strictObject({
        limit: z.coerce.number().int().min(1).max(100).default(20),
        cursor: objectId.optional(),
      }),
      replies: { 200: page },
    },
    async ({ query: { limit, cursor } }, { principal }) => {
      const found = await payments.listOwn(principal.userId, {
        limit,
        ...(cursor && { before: cursor }),
      });
      const next = found.next && `/api/payments/history?limit=${limit}&cursor=${found.next}`;
      return {
        status: 200,
        ...(next && { headers: { Link: `<${next}>; rel="next"` } }),
        body: { data: found.payments.map(paymentView), page: { next: found.next ?? null } },
      };
    },
  );
}

function readRoute({ payments, orders }: PaymentRoutesDeps): Route {
  return route(
    {
      operationId: 'readPayment',
      method: 'get',
      path: '/api/payments/:id',
      summary: 'Read the payment of an order, by the id of the order',
      access: 'signed-in',
      params: z.object({ id: objectId }),
      replies: { 200: paymentReply },
      errors: ['not-found'],
    },
    async ({ params: { id } }, { principal }) => {
      const payment = await payments.find(id);
      const isOwn = payment?.userId === principal.userId;
      if (!payment || !(isOwn || (await findSoldOrder(orders, principal, id)))) throw notFound();
      return { status: 200, body: paymentView(payment) };
    },
  );
}
