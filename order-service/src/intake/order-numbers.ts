import { mongo as driver } from 'mongoose';
import type { Clock } from '@quicksale/shared/process';
import { isDuplicateOrLostRace, withDeadline, type Mongo } from '@quicksale/shared/mongo';

/** Order numbers, unique over all processes; gaps are fine. */
export interface OrderNumbers {
  /** Draws a number, such as `ORD-2026-000123`. */
  take(): Promise<string>;
  /** Gives back a number of an order that certainly does not exist. */
  giveBack(orderNumber: string): void;
}

/** Draws `count` consecutive numbers and resolves to the first. */
export type DrawBlock = (count: number) => Promise<number>;

const blockSize = 1_000;
/** The next block is fetched when fewer are left, so that a burst need not wait for it. */
const lowWater = 300;

/** A pool of numbers, filled block by block. */
export function createOrderNumbers(drawBlock: DrawBlock, clock: Clock): OrderNumbers {
  let pool: string[] = [];
  let filling: Promise<void> | undefined;

  async function fill(): Promise<void> {
    const first = await drawBlock(blockSize);
    const year = new Date(clock.now()).getUTCFullYear();
    const fresh = Array.from(
      { length: blockSize },
      (_, index) => `ORD-${year}-${String(first + index).padStart(6, '0')}`,
    );
    // Taken from the end: older numbers go first.
    pool = [...fresh.reverse(), ...pool];
  }

  const refill = () =>
    (filling ??= fill().finally(() => {
      filling = undefined;
    }));

  return {
    take: async () => {
      while (pool.length === 0) await refill();
      // A block that cannot be fetched now is asked for again by the next order.
      if (pool.length < lowWater) void refill().catch(() => undefined);
      return pool.pop() ?? '';
    },
    giveBack: (orderNumber) => void pool.push(orderNumber),
  };
}

interface Counter {
  _id: string;
  next: number;
}

/**
 * The counter of order numbers in MongoDB. It is made first and then only incremented: upserts that
 * race on a new document give two callers the same number in DocumentDB.
 */
export function createMongoBlocks(mongo: Mongo): DrawBlock {
  const counters = () => mongo.db().collection<Counter>('counters');
  const id = 'order-numbers';
  let made = false;
  return async (count) => {
    if (!made) {
      await withDeadline(counters().insertOne({ _id: id, next: 1 })).catch((error: unknown) => {
        if (!isDuplicateOrLostRace(error)) throw error;
      });
      made = true;
    }
    const before = await withDeadline(
      counters().findOneAndUpdate(
        { _id: id },
        { $inc: { next: count } },
        { returnDocument: driver.ReturnDocument.BEFORE },
      ),
    );
    if (!before) throw new Error('the counter of order numbers is gone');
    return before.next;
  };
}
