/** An order whose units the ledger must account for: in its hold record, or gone once it is SOLD. */
export interface OwningOrder {
  id: string;
  saleId: string;
  createdAt: Date;
  /** Absent on an order whose key names another one. */
  idempotencyDigest?: string;
  requestFingerprint: string;
  inventoryStatus: 'PENDING' | 'RESERVED' | 'SOLD';
  /** Names, as in the unit index. */
  units: string[];
}

/** Orders in MongoDB that own units. */
export interface RecentOrders {
  /** Those made since, in pieces. */
  since(from: Date): AsyncIterable<OwningOrder[]>;
  /** Those of the given ones that still own units, read anew. */
  stillOwning(orders: readonly OwningOrder[]): Promise<OwningOrder[]>;
}
