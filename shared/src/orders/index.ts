export { applyFact, asCreated } from './apply-fact.ts';
export type * from './facts.ts';
export {
  isPaid,
  isUnpaid,
  type DecidableOrder,
  type FactOutcome,
  type OrderChange,
} from './order-step.ts';
export { amountDue, priceOrder } from './pricing.ts';
export type { DiscountTerms, PricingTerms } from './pricing-terms.ts';
export { address } from './address.ts';
export {
  createdOrder,
  creationAnswer,
  creationReply,
  itemReply,
  wireItem,
} from './creation-answer.ts';
export { holdFromOrder, type RecordedOrder } from './hold-from-order.ts';
export { createMemoryOrderStore } from './memory-order-store.ts';
export { createMongoOrderStore, createOrderIndexes } from './mongo-order-store.ts';
export { orderCreatedEvent, orderStatusEvent } from './order-events.ts';
export { orderFromHold } from './order-from-hold.ts';
export { objectId, orderItems } from './order-items.ts';
export { reason } from './reason.ts';
export type { InsertOutcome, MerchantOrdersFilter, OrderPage, OrderStore } from './order-store.ts';
export {
  cancelledUnits,
  mayBecome,
  type Address,
  type HistoryEntry,
  type Order,
  type OrderFacts,
  type OrderItem,
  type OrderState,
  type UnitCount,
} from './order.ts';
