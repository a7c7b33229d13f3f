import type { Part } from '@quicksale/shared/process';
import type { Notification } from './notification.ts';

/** Carries stored notifications to every notifier. Nothing is kept: who is away misses them. */
export interface NotificationChannel {
  publish(notifications: readonly Notification[]): Promise<void>;
}

export interface ChannelSubscription extends Part {
  /** True while nothing published can be missed. */
  isLive(): boolean;
}

export interface ChannelListener {
  onNotifications(notifications: readonly Notification[]): void;
  /** The subscription is live again after it was not: something may have been missed. */
  onGap(): void;
}
