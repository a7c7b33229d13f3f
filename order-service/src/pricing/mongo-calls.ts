import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { unavailable } from '@quicksale/shared/errors';
import { isDuplicateOrLostRace, withDeadline } from '@quicksale/shared/mongo';

const tries = 8;

/**
 * Runs an operation; one that lost a race, and so did nothing, is run again. One whose answer was lost
 * is not: it may have been done.
 */
export async function callMongo<T>(operation: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await withDeadline(operation());
    } catch (error) {
      if (!isDuplicateOrLostRace(error)) throw error;
      if (attempt === tries) throw unavailable('The database is busy', error);
      // Those who want the same document come back one after the other.
      await sleep(randomInt(10 * attempt));
    }
  }
}

/** Inserts once; false when it lost against another document, or in a race with one. */
export async function tryInsert(insert: () => Promise<unknown>): Promise<boolean> {
  try {
    await withDeadline(insert());
    return true;
  } catch (error) {
    if (isDuplicateOrLostRace(error)) return false;
    throw error;
  }
}
