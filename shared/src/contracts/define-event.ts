import type { z } from 'zod';
import type { Topic } from './topics.ts';

/** Ids that one request leaves on its log lines and on the events that follow from it. */
export interface EventContext {
  requestId?: string;
  traceparent?: string;
}

/** An event ready to be published: checked against its contract, addressed, not yet encoded. */
export interface OutgoingEvent extends EventContext {
  topic: Topic;
  /** Events of one key stay in order. */
  key: string;
  id: string;
  /** Type and version in one: `order.created.v1`. */
  type: string;
  subject: string;
  /** When the thing happened; absent: when it is published. */
  time?: string;
  data: unknown;
}

/** One version of one event: the only way to publish it and to subscribe to it. */
export interface EventContract<T> {
  type: string;
  version: number;
  topic: Topic;
  /** For the published description of the events. */
  schema: z.ZodType;
  /**
   * The event for `data`. Throws ZodError when the data does not fit: that is a defect of the
   * publisher. `context` is what the cause carried; without it the bus takes the log context's.
   */
  event: (data: T, context?: EventContext) => OutgoingEvent;
  /** Id that the event for `data` has. */
  id: (data: T) => string;
  /**
   * Data of a received event in this version's shape; older versions are lifted. Throws when the
   * type is not known or the data does not fit.
   */
  decode: (type: string, data: unknown) => T;
}

/** How data of the version before becomes data of this one. */
export interface Upcast<T> {
  decode: (type: string, data: unknown) => T;
}

/** Binds the version before to a function that lifts its data; see `defineEvent`, `upcast`. */
export function upcastFrom<Old, New>(
  older: EventContract<Old>,
  lift: (data: Old) => New,
): Upcast<New> {
  return { decode: (type, data) => lift(older.decode(type, data)) };
}

/** A received event whose type no version of the contract knows. */
export class UnknownEventType extends Error {
  constructor(type: string) {
    super(`No contract of this topic knows events of type "${type}"`);
    this.name = 'UnknownEventType';
  }
}

/**
 * A contract. `key` decides what stays in order, `id` must be the same for every resend of one
 * fact. Within a version only optional fields may be added; each version keeps a golden file.
 */
export function defineEvent<S extends z.ZodType>(definition: {
  type: string;
  version: number;
  topic: Topic;
  schema: S;
  key: (data: z.output<S>) => string;
  id: (data: z.output<S>) => string;
  /** What the event is about. */
  subject: (data: z.output<S>) => string;
  time?: (data: z.output<S>) => string;
  upcast?: Upcast<z.output<S>>;
}): EventContract<z.output<S>> {
  const { type, version, topic, schema, key, id, subject, time, upcast } = definition;
  const fullType = `${type}.v${version}`;
  return {
    type,
    version,
    topic,
    schema,
    id,
    event: (input, context) => {
      const data = schema.parse(input);
      return {
        topic,
        key: key(data),
        id: id(data),
        type: fullType,
        subject: subject(data),
        ...(time && { time: time(data) }),
        data,
        ...context,
      };
    },
    decode: (givenType, data) => {
      if (givenType === fullType) return schema.parse(data);
      if (upcast) return upcast.decode(givenType, data);
      throw new UnknownEventType(givenType);
    },
  };
}
