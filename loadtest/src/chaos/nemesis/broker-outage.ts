import { setTimeout as sleep } from 'node:timers/promises';
import { faultKind } from './fault.ts';

/** Kafka is shut down, stays away for a while, and comes back. */
export const brokerOutage = faultKind<{ forMs: number }>({
  name: 'broker-outage',
  weight: 1,
  stops: 'kafka',
  draw: (random) => ({ forMs: random.between(2_000, 10_000) }),
  describe: ({ forMs }) => `kafka away for ${forMs} ms`,
  affects: () => 'confirm',
  inject: async ({ system: { supervisor } }, { forMs }) => {
    await supervisor.stopPart('kafka');
    await sleep(forMs);
    await supervisor.start(['kafka']);
    return {};
  },
});
