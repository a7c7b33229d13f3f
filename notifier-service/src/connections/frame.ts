import { z } from 'zod';
import type { Notification, OrderUpdate } from '../notifications/notification.ts';

/** What the server may send: `{type, seq?, at, data}`. */
export type ServerFrame =
  | { type: 'welcome'; at: string; data: { userId: string; lastSeq: number; unread: number } }
  | { type: 'order.update'; seq: number; at: string; data: OrderUpdate }
  /** Too much was missed: the open orders as they are; go on from `seq`. */
  | { type: 'snapshot'; seq: number; at: string; data: { orders: readonly OpenOrder[] } }
  | { type: 'pong'; at: string; data: Record<string, never> }
  | { type: 'error'; at: string; data: { code: FrameErrorCode } }
  | { type: 'server.draining'; at: string; data: { retryInMs: number } };

export type OpenOrder = Omit<OrderUpdate, 'message'>;

export type FrameErrorCode = 'invalid-frame' | 'unsupported' | 'resume-in-progress' | 'unavailable';

/** Why the server ends a connection; RFC 6455 and the private range. */
export const closeCodes = {
  policy: 1008,
  restart: 1012,
  tryLater: 1013,
  unauthenticated: 4401,
  tooMany: 4429,
} as const;
export type CloseCode = (typeof closeCodes)[keyof typeof closeCodes];

export type ClientFrame =
  { type: 'ping' } | { type: 'resume'; lastSeq: number } | { type: 'subscribe' };

const seq = z.int().min(0);
const clientFrame = z.union([
  z.object({ type: z.literal('ping') }),
  // The number may stand beside the type or under `data`, as in the server's frames.
  z.object({ type: z.literal('resume'), lastSeq: seq }),
  z
    .object({ type: z.literal('resume'), data: z.object({ lastSeq: seq }) })
    .transform(({ type, data }) => ({ type, ...data })),
  z.object({ type: z.literal('subscribe') }),
]);

/** A client's frame, or undefined when it is none. */
export function parseClientFrame(text: string): ClientFrame | undefined {
  try {
    const parsed = clientFrame.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

export const toFrame = ({ type, seq, at, data }: Notification): ServerFrame => ({
  type,
  seq,
  at,
  data,
});
