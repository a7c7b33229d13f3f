import type { EventContext, EventContract, OutgoingEvent } from '../contracts/index.ts';
import type { Part } from '../process/service.ts';

/** Producer side: what use cases get as an argument. */
export interface Bus {
  /**
   * Resolves when every event is acknowledged. Rejects with AppError `dependency-unavailable` after
   * a bounded time; whether the events got out is then unknown, so publish them again: duplicates
   * are legal. Rejects with `internal` when the broker refuses one of them for good; the others are
   * sent then. Events of one key keep the order of the calls.
   */
  publish(events: readonly OutgoingEvent[]): Promise<void>;
}

/** A received event, in the shape of the newest version of its contract. */
export interface Delivered<T> {
  id: string;
  /** When the thing happened. */
  time: string;
  data: T;
  /** What the cause carried; pass it on to the events that follow from this one. */
  context: EventContext;
}

export interface ConsumerOptions<T> {
  contract: EventContract<T>;
  /** `quicksale.<service>`: its members share the partitions. */
  group: string;
  /**
   * Applies a batch of one partition, in order. It may see an event again, alone or in a batch.
   * An AppError of kind `unavailable` waits and comes again; any other error is tried a few times
   * as a batch, then event by event, and what still fails goes to the dead-letter topic.
   */
  handle: (batch: readonly Delivered<T>[]) => Promise<void>;
  /** Most events in one call of `handle`. */
  batchLimit?: number;
  /** Partitions that are worked on at the same time by one member. */
  concurrency?: number;
}

/** Both sides, as an adapter offers them. Parts are given to composeService after the bus. */
export interface EventBus extends Bus {
  /** A consumer as a part: joins its group at start, leaves it at stop. */
  createConsumer<T>(options: ConsumerOptions<T>): Part;
  /** Events of a contract's topic that a group has not committed yet. */
  lag<T>(group: string, contract: EventContract<T>): Promise<number>;
}
