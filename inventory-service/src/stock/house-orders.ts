/**
 * An order of the house: the only way in which stock falls without a buyer. The operation id is its
 * key: asked for again, it is made once and answers the same.
 */
export interface HouseOrder {
  operationId: string;
  saleId: string;
  /** Who wants it: a user id, or the name of the part of the system that does. */
  by: string;
  reason: 'damage' | 'correction' | 'allotment' | 'confirmed-hold';
  items: readonly { productId: string; quantity: number }[];
  /** The sale that the units move to. */
  to?: string;
  /** A bare hold of `holdUserId` whose units it takes: the id of its record. */
  holdId?: string;
  holdUserId?: string;
}

export type MadeHouseOrder =
  | { kind: 'made'; orderId: string }
  /** Nothing moved: this is what is left. */
  | { kind: 'insufficient-stock'; products: { productId: string; available: number }[] }
  | { kind: 'hold-gone' };

export interface HouseOrders {
  /**
   * Throws AppError `dependency-unavailable` or `sale-fenced` while it cannot be said whether the
   * order was made: the same operation may then be asked for again.
   */
  make(order: HouseOrder): Promise<MadeHouseOrder>;
}
