import { describeBus } from '../../test/bus-suite.ts';
import { createLogger } from '../log/index.ts';
import { createMemoryBus } from './index.ts';

describeBus('memory bus', async () => {
  const bus = createMemoryBus({
    log: createLogger({ service: 'test', level: 'silent' }),
    policy: { tries: 2, firstDelayMs: 10, longestDelayMs: 50 },
  });
  return {
    bus,
    group: 'quicksale.test',
    publishRaw: async (topic, message) => bus.publishRaw(topic, message),
    deadLetters: async (topic) => bus.deadLetters(topic),
    close: async () => undefined,
  };
});
