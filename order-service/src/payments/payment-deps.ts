import { unavailable } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { Fact, Order, OrderStore } from '@quicksale/shared/orders';
import type { Clock } from '@quicksale/shared/process';
import type { ChangedOrder } from '../orders/change-order.ts';
import type { PaymentProvider } from './payment-provider.ts';
import type { PaymentStore } from './payment-store.ts';
import type { Payment } from './payment.ts';

/** What the use cases of payments work with. */
export interface PaymentDeps {
  payments: PaymentStore;
  provider: PaymentProvider;
  orders: Pick<OrderStore, 'findByIds' | 'findOwn' | 'finishRepaying'>;
  /** The one way in which an order changes. */
  changeOrder: (order: Order, decide: (order: Order) => Fact) => Promise<ChangedOrder>;
  clock: Clock;
  log: Logger;
}

export const readOrder = async (deps: PaymentDeps, id: string): Promise<Order | undefined> =>
  (await deps.orders.findByIds([id]))[0];

/** Another provider knows nothing of its intents: money moves once its own is in use again. */
export function requireProvider(
  { provider }: Pick<PaymentDeps, 'provider'>,
  payment: Pick<Payment, 'provider'>,
): void {
  if (payment.provider !== provider.name)
    throw unavailable('The payment is with a provider that is not in use now');
}
