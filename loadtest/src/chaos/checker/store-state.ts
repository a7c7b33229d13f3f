/**
 * What the stores have after a run, as plain as they gave it: times are ISO 8601, ids text. These types
 * are the checker's own statement of what is stored; it shares none with the services.
 */
export interface StoreState {
  orders: readonly StoredOrder[];
  movements: readonly { saleId: string; productId: string; lastUnit: number }[];
  sales: readonly StoredSale[];
  notifications: readonly StoredNotification[];
  payments: readonly StoredPayment[];
  simulatedPayments: readonly StoredCharge[];
  ledger: LedgerState;
  /** Events of `order.status` from offset 0. */
  statusEvents: readonly StatusEvent[];
  /** By the clock of this machine, which is Redis's as well. */
  readAtWall: number;
}

export interface StoredOrder {
  id: string;
  kind: string;
  userId: string;
  saleId: string;
  items: readonly { productId: string; quantity: number; unitPrice: number }[];
  totalAmount: number;
  status: string;
  inventoryStatus: string;
  paymentStatus: string;
  version: number;
  history: readonly {
    version: number;
    from: string | null;
    to: string;
    at: string;
    cause?: string;
    cancelled?: readonly { productId: string; quantity: number }[];
    money?: string;
  }[];
  idempotencyKey: string;
  units?: readonly string[];
  releasing?: readonly string[];
  shipping?: readonly string[];
  repaying?: boolean;
  expiresAt: string | null;
  outbox?: readonly unknown[];
  outboxAt?: string;
  createdAt: string;
}

export interface StoredSale {
  id: string;
  kind: string;
  opensAt?: string;
  closesAt?: string | null;
  perBuyerLimit?: number;
  holdMs?: number;
  durability?: string;
}

export interface StoredNotification {
  id: string;
  userId: string;
  seq: number;
  data: { orderId: string; version: number; status: string };
}

export interface StoredPayment {
  id: string;
  checkAt?: string;
  refunds: readonly { status: string; cause: string }[];
}

/** The provider's own books. */
export interface StoredCharge {
  paymentId: string;
  amount: number;
  attempts: readonly { succeedsAt?: string }[];
  refunds: readonly { id: string; amount: number }[];
}

export interface StatusEvent {
  id: string;
  data: {
    orderId: string;
    userId: string;
    from: string;
    to: string;
    version: number;
    inventoryStatus: string;
    paymentStatus: string;
  };
}

export interface LedgerState {
  /** By sale id. */
  sales: Readonly<Record<string, LedgerSale>>;
  /** `<saleId>/<orderId>` with deadline, of all shards. */
  due: Readonly<Record<string, number>>;
  unrecorded: readonly string[];
}

export interface LedgerSale {
  settings: Readonly<Record<string, string>>;
  products: Readonly<Record<string, LedgerProduct>>;
  buyers: Readonly<Record<string, number>>;
  records: readonly LedgerRecord[];
}

export interface LedgerProduct {
  last: number;
  next: number;
  available: number;
  held: number;
  gone: number;
  free: readonly number[];
}

export interface LedgerRecord {
  orderId: string;
  kind: string;
  userId: string;
  expiresAt: number;
  units: Readonly<Record<string, readonly number[]>>;
}
