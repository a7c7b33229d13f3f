import type { RecordedOrder } from '@quicksale/shared/orders';

/** An order as far as the ledger has anything to do with it. */
export interface SaleOrder extends RecordedOrder {
  /** An order of the house that took a buyer's bare hold: those units count for the buyer. */
  confirmsHold: boolean;
}

/** Orders in MongoDB. */
export interface SaleOrders {
  /**
   * All orders of a sale in pieces, each of them once, whatever is changed meanwhile. Throws AppError
   * `dependency-unavailable` when MongoDB is away.
   */
  ofSale(saleId: string): AsyncIterable<SaleOrder[]>;
}
