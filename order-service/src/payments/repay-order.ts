import { isUnpaid, type Order } from '@quicksale/shared/orders';
import { faultPoint } from '@quicksale/shared/process';
import { readOrder, requireProvider, type PaymentDeps } from './payment-deps.ts';
import {
  atRest,
  capturedOf,
  refundedOf,
  refundOwed,
  untold,
  withOwedRefund,
  type Payment,
  type Refund,
} from './payment.ts';

/** Rounds of looking again when order or payment change meanwhile. */
const mostRounds = 10;

/**
 * Sends back what is kept of a payment and is more than its order costs: what goes back is written
 * first, then the provider does it under the refund's own id, then payment and order are told. Done
 * twice or by two at once it has one effect. Throws when it cannot be finished now: what is written
 * is found again by the payment's `checkAt`, and what is not by the order's mark.
 */
export async function repayOrder(deps: PaymentDeps, orderId: string): Promise<void> {
  for (let round = 0; round < mostRounds; round += 1) {
    // The order first: it only ever gets cheaper, so that one read too early sends back too little.
    const order = await readOrder(deps, orderId);
    if (!order) return;
    const payment = await deps.payments.find(orderId);
    const told = payment && (await tellPaid(deps, payment, order));
    if (told && told.version !== order.version) continue;
    if (payment && (await moveMoney(deps, payment, order))) continue;
    if (order.repaying) await deps.orders.finishRepaying([{ id: orderId, version: order.version }]);
    return;
  }
}

/**
 * An order hears of its money before it hears of what goes back: it could neither be paid nor expire
 * afterwards, and would keep its units for ever.
 */
export async function tellPaid(
  deps: PaymentDeps,
  { id, userId: by, status }: Payment,
  order: Order,
): Promise<Order> {
  if (status !== 'succeeded' || !isUnpaid(order)) return order;
  const at = new Date(deps.clock.now());
  return (await deps.changeOrder(order, () => ({ type: 'pay', cause: id, by, at }))).order;
}

/** True when it has done something after which it is to be looked again. */
async function moveMoney(deps: PaymentDeps, payment: Payment, order: Order): Promise<boolean> {
  if (refundOwed(payment, order) > 0) {
    const now = deps.clock.now();
    await deps.payments.change(payment.id, (one) => withOwedRefund(one, order, now));
    faultPoint('after-refund-entry');
    return true;
  }
  const sent = await sendRefunds(deps, payment);
  return (await tellOrder(deps, sent, order)) || sent !== payment;
}

/** Has the provider send what is written and not known to have gone. */
export async function sendRefunds(deps: PaymentDeps, found: Payment): Promise<Payment> {
  let payment = found;
  for (const refund of found.refunds) {
    if (refund.status !== 'pending') continue;
    requireProvider(deps, payment);
    const { id: refundId, intentId, amount } = refund;
    const { status } = await deps.provider.refund({ intentId, amount, refundId });
    faultPoint('after-refund-sent');
    if (status === 'pending') continue;
    if (status === 'failed')
      deps.log.error(
        { orderId: payment.id, refundId, amount },
        'a refund is refused for good: somebody has to pay the buyer back',
      );
    const marked = await deps.payments.change(payment.id, (one) =>
      withOutcome(one, refund, status),
    );
    payment = marked?.document ?? payment;
  }
  return payment;
}

function withOutcome(
  payment: Payment,
  { id }: Refund,
  status: 'succeeded' | 'failed',
): Payment | undefined {
  if (payment.refunds.find((one) => one.id === id)?.status !== 'pending') return undefined;
  return {
    ...payment,
    refunds: payment.refunds.map((one) => (one.id === id ? { ...one, status } : one)),
  };
}

/** True when the order has learnt of a refund. */
async function tellOrder(deps: PaymentDeps, payment: Payment, order: Order): Promise<boolean> {
  const isAll = refundedOf(payment) === capturedOf(payment);
  let isTold = false;
  for (const { id, by, reason } of untold(payment, order)) {
    const at = new Date(deps.clock.now());
    const { kind } = await deps.changeOrder(order, () => ({
      ...{ type: 'repaid', cause: id, by, reason, isAll, at },
    }));
    isTold ||= kind === 'changed';
  }
  return isTold;
}

/** Takes the payment off the list of those to be looked at, if there is nothing left to do. */
export async function rest(deps: PaymentDeps, id: string): Promise<Payment | undefined> {
  const order = await readOrder(deps, id);
  if (!order) return undefined;
  return (await deps.payments.change(id, (one) => atRest(one, order)))?.document;
}
