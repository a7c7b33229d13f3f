import { Gauge, type Registry } from '@prometheus-io/client';
import type { OrderStore } from '@quicksale/shared/orders';
import type { Clock } from '@quicksale/shared/process';

/** So long after its last step an order that still has something to be done needs a person. */
export const stuckAfterMs = 3_600_000;

/** Shows how many orders are stuck; every order-service says the same of all of them. */
export function createStuckOrdersGauge(deps: {
  orders: Pick<OrderStore, 'isReachable' | 'countStuck'>;
  clock: Clock;
  registry: Registry;
}): void {
  new Gauge({
    name: 'quicksale_stuck_orders',
    help: 'Orders whose last step was an hour ago and of which something is still to be done',
    registers: [deps.registry],
    async collect() {
      if (!deps.orders.isReachable()) return;
      try {
        this.set(await deps.orders.countStuck(new Date(deps.clock.now() - stuckAfterMs)));
      } catch {
        // The database went away meanwhile, which other figures say: the last number stays.
      }
    },
  });
}
