import type { HistoryEntry, Order } from '@quicksale/shared/orders';
import type { Movement } from '../stock/movement.ts';

/** An order with all that became of it. */
export type TracedOrder = Pick<
  Order,
  | 'id'
  | 'kind'
  | 'orderNumber'
  | 'userId'
  | 'status'
  | 'inventoryStatus'
  | 'units'
  | 'createdAt'
  | 'updatedAt'
> & { history: readonly HistoryEntry[] };

/** What MongoDB remembers of a sale, page by page. Throws `dependency-unavailable` when away. */
export interface SaleHistory {
  /** Whether a merchant has a standing sale. */
  hasStanding(merchantId: string): Promise<boolean>;
  /** One page of the orders, by id. */
  listOrders(saleId: string, after: string | undefined): Promise<TracedOrder[]>;
  /** One page of the movements, by product and first unit. */
  listMovements(saleId: string, after: Movement | undefined): Promise<Movement[]>;
  /** How often buyers were refused, by reason. */
  countRefusals(saleId: string): Promise<Readonly<Record<string, number>>>;
}
