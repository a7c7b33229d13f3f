/** Whose the units of a sale are, and how many numbers there are. */
export interface SaleUnits {
  /** Unit names that orders own, with the order. */
  owners: ReadonlyMap<string, string>;
  /** The last number of each product that was asked for. */
  lastUnits: ReadonlyMap<string, number>;
}

/** Reads from the primary. Throws AppError `dependency-unavailable` while the database is away. */
export type ReadSaleUnits = (saleId: string, productIds: readonly string[]) => Promise<SaleUnits>;
