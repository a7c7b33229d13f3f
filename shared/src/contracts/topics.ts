/** Every topic, without the namespace. Each has a `<topic>.dlq` beside it. */
export const topics = {
  orderCreated: 'order.created',
  inventoryResult: 'inventory.result',
  orderStatus: 'order.status',
} as const;
export type Topic = (typeof topics)[keyof typeof topics];
