import type { Bus } from '@quicksale/shared/bus';
import type { OutgoingEvent } from '@quicksale/shared/contracts';
import type { Logger } from '@quicksale/shared/log';

export interface Relay {
  /**
   * Sends events on their way at once; what does not get out is found by the outbox scan. `sent` runs
   * once they are acknowledged.
   */
  send(events: readonly OutgoingEvent[], sent?: () => Promise<void>): void;
  /** Resolves when nothing is under way. */
  drain(): Promise<void>;
}

/** More than this in memory means that Kafka is away; the outbox keeps the rest. */
const mostInFlight = 10_000;

/** The fast road of the outbox: events leave from memory right after their order was written. */
export function createRelay(deps: { bus: Bus; log: Logger }): Relay {
  let inFlight = 0;
  const running = new Set<Promise<void>>();

  async function publish(
    events: readonly OutgoingEvent[],
    sent?: () => Promise<void>,
  ): Promise<void> {
    inFlight += events.length;
    try {
      await deps.bus.publish(events);
      await sent?.();
    } catch (error) {
      deps.log.warn({ err: error, events: events.length }, 'events stay in the outbox for now');
    } finally {
      inFlight -= events.length;
    }
  }

  return {
    send: (events, sent) => {
      if (events.length === 0 || inFlight > mostInFlight) return;
      const run: Promise<void> = publish(events, sent).finally(() => running.delete(run));
      running.add(run);
    },
    drain: async () => {
      await Promise.all(running);
    },
  };
}
