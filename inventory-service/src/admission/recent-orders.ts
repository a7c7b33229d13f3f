/** An order that must have its hold record in the ledger. */
export interface HeldOrder {
  id: string;
  saleId: string;
  createdAt: Date;
  /** Absent on an order whose key names another one. */
  idempotencyDigest?: string;
  requestFingerprint: string;
}

/** Orders in MongoDB that are PENDING or RESERVED and own units. */
export interface RecentOrders {
  /** Those made since, in pieces. */
  since(from: Date): AsyncIterable<HeldOrder[]>;
  /** Those of the given ones that still hold, read anew. */
  stillHeld(orders: readonly HeldOrder[]): Promise<HeldOrder[]>;
}
