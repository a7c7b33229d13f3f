import type { EventBus } from '@quicksale/shared/bus';
import { orderStatus } from '@quicksale/shared/contracts';
import { faultPoint, type Part } from '@quicksale/shared/process';
import type { NotificationChannel } from './notification-channel.ts';
import { storeNotifications, type StoreNotificationsDeps } from './store-notifications.ts';

/** Stores what order.status events ask for, then lets every notifier push it. */
export const orderStatusConsumer = (
  bus: EventBus,
  deps: StoreNotificationsDeps & { channel: NotificationChannel },
  onStored: (count: number) => void = () => undefined,
): Part =>
  bus.createConsumer({
    contract: orderStatus,
    group: 'quicksale.notifier-service',
    handle: async (batch) => {
      const events = batch.map(({ data }) => data);
      const stored = await storeNotifications(deps, events);
      onStored(stored.length);
      faultPoint('after-notification-stored');
      await deps.channel.publish(stored);
    },
  });
