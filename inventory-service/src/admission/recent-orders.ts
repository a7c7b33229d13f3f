/** An order of which the ledger must know the key for a day, and the units as long as it owns any. */
export interface RecentOrder {
  id: string;
  saleId: string;
  createdAt: Date;
  /** Absent on an order whose key names another one. */
  idempotencyDigest?: string;
  requestFingerprint: string;
  inventoryStatus: string;
  /** Names, as in the unit index. */
  units?: string[];
}

/** An order whose units the ledger must account for: in its hold record, or gone once it is SOLD. */
export interface OwningOrder extends RecentOrder {
  inventoryStatus: 'PENDING' | 'RESERVED' | 'SOLD';
  units: string[];
}

const owning: readonly string[] = ['PENDING', 'RESERVED', 'SOLD'];

export const ownsUnits = (order: RecentOrder): order is OwningOrder =>
  order.units !== undefined && owning.includes(order.inventoryStatus);

/** Orders in MongoDB, as admission needs them. */
export interface RecentOrders {
  /** Those made since, in pieces. */
  since(from: Date): AsyncIterable<RecentOrder[]>;
  /** Those of the given ones that still own units, read anew. */
  stillOwning(orders: readonly OwningOrder[]): Promise<OwningOrder[]>;
}
