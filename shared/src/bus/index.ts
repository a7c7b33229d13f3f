export type { Bus, ConsumerOptions, Delivered, EventBus } from './bus.ts';
export { letterName, openDeadLetters, type DeadLetters, type OpenLetter } from './dead-letters.ts';
export { connectBus, type BusConnection, type BusOptions } from './kafka-bus.ts';
export { createMemoryBus, type DeadLetter, type MemoryBus } from './memory-bus.ts';
