import { unavailable } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import type { RedisConnection } from '@quicksale/shared/redis';
import type {
  ChannelListener,
  ChannelSubscription,
  NotificationChannel,
} from './notification-channel.ts';
import type { Notification } from './notification.ts';

const probeIntervalMs = 5_000;

const channelOf = (namespace: string) => `${namespace ? `${namespace}:` : ''}ql:notify`;

/** Publishing side on work Redis. */
export function createRedisNotificationChannel(options: {
  redis: RedisConnection;
  namespace: string;
}): NotificationChannel {
  const channel = channelOf(options.namespace);
  return {
    publish: async (notifications) => {
      if (notifications.length === 0) return;
      try {
        await options.redis.client.publish(channel, JSON.stringify(notifications));
      } catch (error) {
        throw unavailable('Work Redis is not reachable', error);
      }
    },
  };
}

/**
 * Listening side: a connection of its own that subscribes anew whenever it comes back, and then
 * says that there was a gap.
 */
export function createRedisNotificationSubscription(options: {
  redis: RedisConnection;
  namespace: string;
  log: Logger;
  listener: ChannelListener;
}): ChannelSubscription {
  const { listener, log } = options;
  const channel = channelOf(options.namespace);
  const client = options.redis.client.duplicate({
    lazyConnect: true,
    autoResubscribe: false,
    connectionName: 'quicksale-notifications',
  });
  let live = false;
  let wasLive = false;
  let probe: NodeJS.Timeout | undefined;

  client.on('error', (error: unknown) => {
    log.debug({ err: error }, 'the subscription lost its connection');
  });
  client.on('close', () => {
    if (live) log.warn('the subscription is interrupted');
    live = false;
  });
  client.on('ready', () => {
    client.subscribe(channel).then(
      () => {
        live = true;
        if (wasLive) listener.onGap();
        wasLive = true;
      },
      (error: unknown) => {
        log.warn({ err: error }, 'the subscription was refused');
        client.disconnect(true);
      },
    );
  });
  client.on('message', (_channel: string, text: string) => {
    try {
      listener.onNotifications(JSON.parse(text) as Notification[]);
    } catch (error) {
      log.error({ err: error }, 'a notification could not be read');
    }
  });

  return {
    name: 'notifications',
    isLive: () => live,
    start: async () => {
      void client.connect().catch(() => undefined);
      while (!live && client.status !== 'end') await new Promise((done) => setTimeout(done, 10));
      // A connection that died without a word shows only when something is asked.
      probe = setInterval(() => {
        if (live) client.ping().catch(() => client.disconnect(true));
      }, probeIntervalMs);
    },
    stop: async () => {
      clearInterval(probe);
      live = false;
      client.disconnect();
    },
    check: () => Promise.resolve(live ? undefined : 'the subscription is interrupted'),
  };
}
