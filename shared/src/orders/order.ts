import type { InventoryStatus, PaymentStatus, Status } from '../contracts/index.ts';
import type { PricingTerms } from './pricing-terms.ts';

export interface Address {
  name?: string;
  line1: string;
  line2?: string;
  city: string;
  region?: string;
  postalCode: string;
  country: string;
}

export interface OrderItem {
  productId: string;
  sku: string;
  name: string;
  /** Minor units. */
  unitPrice: number;
  quantity: number;
}

/** One step of an order's life. `cause` is the id of the event or request that led to it. */
export interface HistoryEntry {
  version: number;
  from: Status | null;
  to: Status;
  /** The other two statuses after the step, for its event; the creation has none. */
  inventoryStatus?: InventoryStatus;
  paymentStatus?: PaymentStatus;
  at: Date;
  by: string;
  reason?: string;
  cause?: string;
  /** Of the request that is the cause, where it has one: the same key with another body is refused. */
  fingerprint?: string;
  /** Units that were cancelled in this step, of an order that goes on. */
  cancelled?: readonly UnitCount[];
  /** What happened to the money, in a step that changes nothing else. */
  money?: 'declined' | 'repaid';
  /** Units that the order gave up in this step: whose they were is asked for years later. */
  released?: readonly string[];
}

/** So many units of a product. */
export interface UnitCount {
  productId: string;
  quantity: number;
}

/** An event that still has to reach Kafka; it is rendered from the history entry it names. */
export interface OutboxEntry {
  id: string;
  type: 'order.created.v1' | 'order.status.v1';
  version: number;
}

/** The three statuses, which change together in one step. */
export interface OrderState {
  status: Status;
  inventoryStatus: InventoryStatus;
  paymentStatus: PaymentStatus;
}

/** An order as MongoDB has it, with its id as text. Money in minor units. */
export interface Order extends OrderState {
  id: string;
  kind: 'order' | 'house';
  orderNumber: string;
  userId: string;
  saleId: string;
  /** Whose products they are; absent on orders of the house. */
  merchantId?: string;
  items: readonly OrderItem[];
  /** What is added to prices and taken off; absent where nothing is. */
  pricing?: PricingTerms;
  subtotal: number;
  taxAmount: number;
  shippingCost: number;
  discount: number;
  totalAmount: number;
  currency: string;
  shippingAddress?: Address;
  billingAddress?: Address;
  version: number;
  history: readonly HistoryEntry[];
  idempotencyKey: string;
  /** Absent on an order whose key meanwhile names another one. */
  idempotencyDigest?: string;
  requestFingerprint: string;
  /** `<saleId>:<productId>:<n>`, each at most once in all orders; absent when none are owned. */
  units?: readonly string[];
  /** Units that the document has given up and the ledger may still have. */
  releasing?: readonly string[];
  /** Units that are sold and the ledger may still hold. */
  shipping?: readonly string[];
  /** Money may have to go back for it: what it costs now has become less than what was paid. */
  repaying?: true;
  trackingNumber?: string;
  /** Orders of the house only: the sale that these units move to; `shipping` stays until they are there. */
  to?: string;
  /** Deadline of an unpaid hold; never changes. */
  expiresAt: Date | null;
  outbox?: readonly OutboxEntry[];
  /** When the scan looks next; set while there is something left to do. */
  outboxAt?: Date;
  outboxTries?: number;
  createdAt: Date;
  updatedAt: Date;
}

/**
 * What order-service knows before the ledger is asked. Stored in the hold record as text, so that
 * any process can build the order from the record alone.
 */
export interface OrderFacts {
  orderNumber: string;
  saleId: string;
  currency: string;
  items: readonly { productId: string; sku: string; name: string; quantity: number }[];
  key: string;
  digest: string;
  fingerprint: string;
  merchantId?: string;
  pricing?: PricingTerms;
  shippingAddress?: Address;
  billingAddress?: Address;
  /** Orders of the house only: who wants it, why, and the sale that its units move to. */
  house?: { by: string; reason: string; to?: string };
}

const graph: Readonly<Record<Status, readonly Status[]>> = {
  PENDING: ['CONFIRMED', 'AWAITING_PAYMENT', 'FAILED', 'CANCELLED', 'EXPIRED'],
  AWAITING_PAYMENT: ['CONFIRMED', 'CANCELLED', 'EXPIRED'],
  CONFIRMED: ['PROCESSING', 'CANCELLED', 'REFUNDED'],
  PROCESSING: ['SHIPPED', 'CANCELLED', 'REFUNDED'],
  SHIPPED: ['DELIVERED', 'REFUNDED'],
  DELIVERED: ['REFUNDED'],
  FAILED: [],
  CANCELLED: [],
  EXPIRED: [],
  REFUNDED: [],
};

/** How many units of each product the buyer has cancelled; EXPIRED is nobody's doing. */
export function cancelledUnits(
  order: Pick<Order, 'status' | 'items' | 'history'>,
): Map<string, number> {
  const counts = new Map<string, number>();
  const steps =
    order.status === 'CANCELLED'
      ? order.items
      : order.history.flatMap(({ cancelled }) => cancelled ?? []);
  for (const { productId, quantity } of steps)
    counts.set(productId, (counts.get(productId) ?? 0) + quantity);
  return counts;
}

/** Whether the status graph has this edge. */
export const mayBecome = (from: Status, to: Status): boolean => graph[from].includes(to);
