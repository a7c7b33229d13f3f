import type {
  InventoryStatus,
  OrderStatus,
  PaymentStatus,
  Status,
} from '@quicksale/shared/contracts';

/** What an owner is told about a change of an order. */
export interface OrderUpdate {
  orderId: string;
  orderNumber: string;
  status: Status;
  inventoryStatus: InventoryStatus;
  paymentStatus: PaymentStatus;
  version: number;
  message: string;
}

/** A notification as it is stored. Only stored ones are pushed. */
export interface Notification {
  /** `<orderId>:<version>`: one per change of an order, however often its event comes. */
  id: string;
  userId: string;
  /** Rises per user; gaps are legal. */
  seq: number;
  type: 'order.update';
  /** When the order changed, ISO 8601. */
  at: string;
  data: OrderUpdate;
  readAt: string | null;
}

/** The notification that an event asks for, under a sequence number. */
export function toNotification(event: OrderStatus, seq: number): Notification {
  return {
    id: `${event.orderId}:${event.version}`,
    userId: event.userId,
    seq,
    type: 'order.update',
    at: event.at,
    data: {
      orderId: event.orderId,
      orderNumber: event.orderNumber,
      status: event.to,
      inventoryStatus: event.inventoryStatus,
      paymentStatus: event.paymentStatus,
      version: event.version,
      message: event.message,
    },
    readAt: null,
  };
}
