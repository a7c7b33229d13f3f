import type { Logger } from '@quicksale/shared/log';
import type { Fact, Order, OrderStore } from '@quicksale/shared/orders';
import type { Clock } from '@quicksale/shared/process';
import type { ChangedOrder } from '../orders/change-order.ts';
import type { PaymentProvider } from './payment-provider.ts';
import type { PaymentStore } from './payment-store.ts';

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
