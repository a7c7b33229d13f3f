import { expect, it } from '@jest/globals';
import { changeOf, describeNotificationStore, newId } from '../../test/notification-store-suite.ts';
import {
  createMemoryNotificationStore,
  createMemorySequenceCounters,
} from './memory-notification-store.ts';
import { storeNotifications } from './store-notifications.ts';

describeNotificationStore('notifications in memory', async () => {
  const counters = createMemorySequenceCounters();
  return {
    store: createMemoryNotificationStore(),
    counters,
    forget: async () => counters.forget(),
  };
});

it('gives up with `unavailable` when numbers stay contested', async () => {
  const store = createMemoryNotificationStore();
  const deps = {
    store: {
      ...store,
      insert: async (batch: readonly { id: string }[]) => new Set(batch.map(({ id }) => id)),
    },
    counters: createMemorySequenceCounters(),
  };
  await expect(storeNotifications(deps, [changeOf(newId(), newId(), 2)])).rejects.toMatchObject({
    kind: 'unavailable',
  });
});
