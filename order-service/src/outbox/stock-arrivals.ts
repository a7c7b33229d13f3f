/** Units that left one sale by an order of the house and have to arrive in another one. */
export interface ArrivingStock {
  /** The order that took them: the movement's key, so asking again moves nothing twice. */
  houseOrderId: string;
  /** The sale that they arrive in. */
  saleId: string;
  productId: string;
  units: number;
  by: string;
}

/** Where inventory-service is told of them. */
export interface StockArrivals {
  /**
   * Resolves once the movement is acknowledged. Throws AppError `dependency-unavailable`, and nothing
   * else, while that is not known.
   */
  arrive(movement: ArrivingStock): Promise<void>;
}
