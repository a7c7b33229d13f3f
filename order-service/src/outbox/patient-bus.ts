import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@quicksale/shared/log';
import type { Part } from '@quicksale/shared/process';

/** So long a process waits for Kafka before it serves without. */
const firstWaitMs = 2_000;

/**
 * The bus of a process that takes orders while Kafka is away, also when it starts then: it goes on
 * connecting in the background. What cannot be sent stays in the outbox.
 */
export const patientBus = (bus: Part, log: Logger): Part => ({
  name: bus.name,
  start: async () => {
    // Publishing opens a connection of its own when this one failed.
    const connected = bus.start().catch((error: unknown) => {
      log.warn({ err: error }, 'Kafka could not be reached at the start');
    });
    await Promise.race([connected, sleep(firstWaitMs, undefined, { ref: false })]);
  },
  stop: () => bus.stop(),
});
