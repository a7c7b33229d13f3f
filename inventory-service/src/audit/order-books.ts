import type { Order } from '@quicksale/shared/orders';

/** An order as far as the auditor compares it. */
export type BookedOrder = Pick<
  Order,
  'id' | 'kind' | 'userId' | 'inventoryStatus' | 'units' | 'releasing' | 'shipping' | 'updatedAt'
>;

/** Orders and movements as MongoDB's primary has them. Throws `dependency-unavailable` when away. */
export interface OrderBooks {
  /** One page of the orders of a sale, by id. */
  listOrders(saleId: string, after: string | undefined): Promise<BookedOrder[]>;
  findOrders(orderIds: readonly string[]): Promise<BookedOrder[]>;
  /** Orders that own one of the units. */
  findOwners(units: readonly string[]): Promise<BookedOrder[]>;
  /** The last unit that came into the sale, by product. */
  lastUnits(saleId: string): Promise<ReadonlyMap<string, number>>;
}
