import { faultKind } from './fault.ts';

/** SIGTERM to one process after the other; the next one when the last one serves again. */
export const rollingRestart = faultKind<{ parts: readonly string[] }>({
  name: 'rolling-restart',
  weight: 0.5,
  stops: 'every process',
  draw: (random, { processes }) => ({ parts: random.shuffled(processes) }),
  describe: ({ parts }) => parts.join(', '),
  affects: () => 'place',
  inject: async ({ system: { supervisor } }, { parts }) => {
    for (const part of parts) {
      const before = supervisor.pid(part);
      if (!supervisor.kill(part, 'SIGTERM')) continue;
      // It counts as up until it has ended.
      while (supervisor.pid(part) === before) await new Promise((done) => setTimeout(done, 20));
      await supervisor.waitUntilUp(part);
    }
    return {};
  },
});
