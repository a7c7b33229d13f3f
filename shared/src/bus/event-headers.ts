import type { EventContext, EventContract, OutgoingEvent } from '../contracts/index.ts';
import type { Delivered } from './bus.ts';

/** A message as a broker keeps it. */
export interface RawMessage {
  key: Buffer | null;
  value: Buffer | null;
  headers: Readonly<Record<string, Buffer | string | undefined>>;
}

export interface EncodedEvent {
  topic: string;
  key: string;
  value: string;
  headers: Record<string, string>;
  /** Size on the wire, nearly. */
  bytes: number;
}

const framingBytes = 100;

/** CloudEvents 1.0 in binary mode: attributes are headers, the body is the data. */
export function encodeEvent(
  event: OutgoingEvent,
  options: { source: string; nowMs: number; context: EventContext | undefined },
): EncodedEvent {
  const requestId = event.requestId ?? options.context?.requestId;
  const traceparent = event.traceparent ?? options.context?.traceparent;
  const headers: Record<string, string> = {
    ce_id: event.id,
    ce_source: options.source,
    ce_type: event.type,
    ce_specversion: '1.0',
    ce_time: event.time ?? new Date(options.nowMs).toISOString(),
    ce_subject: event.subject,
    'content-type': 'application/json',
    ...(traceparent && { traceparent }),
    ...(requestId && { 'x-request-id': requestId }),
  };
  const value = JSON.stringify(event.data);
  const headerBytes = Object.entries(headers).reduce((sum, [k, v]) => sum + k.length + v.length, 0);
  const bytes = Buffer.byteLength(value) + headerBytes + event.key.length + framingBytes;
  return { topic: event.topic, key: event.key, value, headers, bytes };
}

/** A received message in the newest shape of its contract. Throws when it cannot be understood. */
export function decodeEvent<T>(contract: EventContract<T>, message: RawMessage): Delivered<T> {
  const header = (name: string) => message.headers[name]?.toString();
  const type = header('ce_type');
  if (!type) throw new Error('The message has no ce_type header');
  if (!message.value) throw new Error('The message has no body');
  const data = contract.decode(type, JSON.parse(message.value.toString()));
  const requestId = header('x-request-id');
  const traceparent = header('traceparent');
  return {
    id: header('ce_id') ?? contract.id(data),
    time: header('ce_time') ?? '',
    data,
    context: { ...(requestId && { requestId }), ...(traceparent && { traceparent }) },
  };
}

export type DeadLetterReason = 'undecodable' | 'handler-failed';

/** Stands before every header that the bus puts on a dead letter. */
export const deadLetterPrefix = 'dlq_';

/** Headers that say where a dead letter came from and why; the original ones stay beside them. */
export function deadLetterHeaders(letter: {
  reason: DeadLetterReason;
  error: unknown;
  topic: string;
  group: string;
  partition: number;
  offset: string;
  tries: number;
  nowMs: number;
}): Record<string, string> {
  return {
    dlq_reason: letter.reason,
    dlq_error: String(letter.error).slice(0, 1_000),
    dlq_topic: letter.topic,
    dlq_group: letter.group,
    dlq_partition: String(letter.partition),
    dlq_offset: letter.offset,
    dlq_tries: String(letter.tries),
    dlq_time: new Date(letter.nowMs).toISOString(),
  };
}
