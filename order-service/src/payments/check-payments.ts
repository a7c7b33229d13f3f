import { toAppError } from '@quicksale/shared/errors';
import { reviewPayment } from './follow-payment.ts';
import type { PaymentDeps } from './payment-deps.ts';
import { postponed, type Payment } from './payment.ts';

const paymentsPerRound = 100;
const abreast = 10;
const stuckAfterMs = 3_600_000;

/**
 * Does again what a crash, a lost answer or a lost webhook left undone: finds out how attempts ended,
 * sends refunds again under their own ids, tells orders. Doubles each payment's interval.
 */
export async function checkPayments(deps: PaymentDeps): Promise<void> {
  const now = new Date(deps.clock.now());
  const due = await deps.payments.findDue(deps.provider.name, now, paymentsPerRound);
  for (let from = 0; from < due.length; from += abreast)
    await Promise.all(due.slice(from, from + abreast).map((one) => check(deps, one)));
}

async function check(deps: PaymentDeps, { id }: Payment): Promise<void> {
  const now = deps.clock.now();
  try {
    const claimed = await deps.payments.change(id, (one) =>
      one.checkAt && one.checkAt.getTime() <= now ? postponed(one, now) : undefined,
    );
    if (!claimed?.isChanged) return;
    reportStuck(deps, claimed.document, now);
    await reviewPayment(deps, id);
  } catch (error) {
    const { kind } = toAppError(error);
    const level = kind === 'unavailable' ? 'debug' : 'error';
    deps.log[level]({ err: error, orderId: id }, 'a payment is looked at later');
  }
}

/** One that waits for its buyer is not stuck: its order ends at its deadline. */
function reportStuck({ log }: PaymentDeps, payment: Payment, now: number): void {
  const since = Math.max(payment.updatedAt.getTime(), payment.expiresAt?.getTime() ?? 0);
  if (now - since > stuckAfterMs)
    log.error({ orderId: payment.id, status: payment.status }, 'a payment is stuck');
}
