export type { Bus, ConsumerOptions, Delivered, EventBus } from './bus.ts';
export { connectBus, type BusConnection, type BusOptions } from './kafka-bus.ts';
export { createMemoryBus, type DeadLetter, type MemoryBus } from './memory-bus.ts';
