export {
  defineEvent,
  UnknownEventType,
  upcastFrom,
  type EventContext,
  type EventContract,
  type OutgoingEvent,
  type Upcast,
} from './define-event.ts';
export {
  inventoryResult,
  outcomes,
  type InventoryResult,
  type Outcome,
} from './events/inventory-result.v1.ts';
export { orderCreated, type OrderCreated } from './events/order-created.v1.ts';
export { orderStatus, type OrderStatus } from './events/order-status.v1.ts';
export {
  inventoryStatuses,
  paymentStatuses,
  statuses,
  type InventoryStatus,
  type PaymentStatus,
  type Status,
} from './order-status.ts';
export { roles, type Role } from './roles.ts';
export { topics, type Topic } from './topics.ts';
