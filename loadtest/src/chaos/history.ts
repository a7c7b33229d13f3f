import { createWriteStream, readFileSync } from 'node:fs';
import { finished } from 'node:stream/promises';

export const operationTypes = [
  'place',
  'cancel',
  'open-payment',
  'pay',
  'read',
  'restock',
  'read-product',
  'set-stock',
  'set-status',
  'refund',
] as const;
export type OperationType = (typeof operationTypes)[number];

/** What is asked for. Times are milliseconds: `at` since the run began, monotonic; `wall` of the clock. */
export interface Invocation {
  type: OperationType;
  userId: string;
  key?: string;
  saleId?: string;
  productId?: string;
  orderId?: string;
  items?: readonly { productId: string; quantity: number }[];
  /** Set stock, restock: how much. Set status: what. Pay: by which method. */
  wanted?: string | number;
  /** After the faults have stopped: what a shop at rest must answer. */
  isProbe?: true;
}

/** What was heard. `unknown`: nothing, or that it may have happened; never that it did not. */
export interface Completion {
  outcome: 'ok' | 'fail' | 'unknown';
  status?: number;
  code?: string;
  orderId?: string;
  /** SHA-256 of the body as it came. */
  bytes?: string;
  /** Fields of the answer that are checked. */
  told?: {
    userId?: string;
    saleId?: string;
    items?: readonly { productId: string; quantity: number; unitPrice: number }[];
    totalAmount?: number;
    version?: number;
    status?: string;
    paymentStatus?: string;
    captured?: number;
    available?: number;
  };
  /** Ids of other users in an answer. */
  foreign?: readonly string[];
}

export type Operation = Invocation &
  Completion & {
    id: number;
    invokedAt: number;
    invokedWall: number;
    /** Infinite when it never came back. */
    endedAt: number;
  };

type Line =
  | ({ id: number; event: 'invoke'; at: number; wall: number } & Invocation)
  | ({ id: number; event: 'end'; at: number } & Completion);

export interface History {
  /** Milliseconds since the run began, by the monotonic clock. */
  now(): number;
  /** Writes that it begins; the returned function writes how it ended. */
  invoke(invocation: Invocation): (completion: Completion) => Operation;
  /** All that have ended, in that order. */
  ended: readonly Operation[];
  close(): Promise<void>;
}

/** A history as JSON lines, two of each operation: the checker can be run again on the file alone. */
export function openHistory(file: string): History {
  const stream = createWriteStream(file);
  const startedAt = performance.now();
  const now = () => Math.round((performance.now() - startedAt) * 1_000) / 1_000;
  const write = (line: Line) => stream.write(`${JSON.stringify(line)}\n`);
  const ended: Operation[] = [];
  let count = 0;
  return {
    now,
    ended,
    invoke: (invocation) => {
      count += 1;
      const id = count;
      const [invokedAt, invokedWall] = [now(), Date.now()];
      write({ id, event: 'invoke', at: invokedAt, wall: invokedWall, ...invocation });
      return (completion) => {
        const endedAt = now();
        write({ id, event: 'end', at: endedAt, ...completion });
        const operation = { id, invokedAt, invokedWall, endedAt, ...invocation, ...completion };
        ended.push(operation);
        return operation;
      };
    },
    close: async () => {
      stream.end();
      await finished(stream);
    },
  };
}

/** Reads a history back; an operation whose end is not in the file is unknown. */
export function readHistory(file: string): Operation[] {
  const operations = new Map<number, Operation>();
  for (const text of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const line = JSON.parse(text) as Line;
    if (line.event === 'invoke') {
      const { event: _, at: invokedAt, wall: invokedWall, ...invocation } = line;
      const open = { endedAt: Infinity, outcome: 'unknown' } as const;
      operations.set(line.id, { ...open, ...invocation, invokedAt, invokedWall });
    } else {
      const { event: _, at: endedAt, ...completion } = line;
      const open = operations.get(line.id);
      if (open) operations.set(line.id, { ...open, ...completion, endedAt });
    }
  }
  return [...operations.values()];
}
