import { z } from 'zod';
import { toWire } from '@quicksale/shared/money';
import { capturedOf, paymentStates, refundedOf, refundStates, type Payment } from './payment.ts';

const amount = z.number();
const time = z.iso.datetime();

/** A payment in an answer. Amounts are in major units of its currency. */
export const paymentReply = z
  .object({
    paymentId: z.string(),
    orderId: z.string(),
    provider: z.enum(['stripe', 'simulator']),
    status: z.enum(paymentStates),
    amount,
    captured: amount,
    refunded: amount,
    currency: z.string(),
    declineCode: z.string().optional(),
    refunds: z.array(
      z.object({
        refundId: z.string(),
        amount,
        reason: z.string(),
        status: z.enum(refundStates),
        at: time,
      }),
    ),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'Payment' });

/** A payment as its buyer reads it. */
export const paymentView = (payment: Payment) => ({
  paymentId: payment.id,
  orderId: payment.id,
  provider: payment.provider,
  status: payment.status,
  amount: toWire(payment.amount),
  captured: toWire(capturedOf(payment)),
  refunded: toWire(refundedOf(payment)),
  currency: payment.currency,
  ...(payment.declineCode && { declineCode: payment.declineCode }),
  refunds: payment.refunds.map(({ id, reason, status, at, ...refund }) => ({
    refundId: id,
    amount: toWire(refund.amount),
    ...{ reason, status },
    at: at.toISOString(),
  })),
  createdAt: payment.createdAt.toISOString(),
  updatedAt: payment.updatedAt.toISOString(),
});
