import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { unavailable } from '../errors/index.ts';
import { isDuplicateOrLostRace } from './duplicate-key.ts';
import { withDeadline } from './with-deadline.ts';

/** So many who want one document at once get it, one after the other. */
const tries = 8;

/**
 * Runs an operation; one that lost a race, and so did nothing, is run again after a moment. One whose
 * answer was lost is not: it may have been done. Throws AppError `dependency-unavailable` when the
 * database is away or keeps being busy.
 */
export async function callMongo<T>(operation: () => PromiseLike<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await withDeadline(Promise.resolve(operation()));
    } catch (error) {
      if (!isDuplicateOrLostRace(error)) throw error;
      if (attempt === tries) throw unavailable('The database is busy', error);
      await sleep(randomInt(10 * attempt));
    }
  }
}

/** Inserts once; false when it lost against another document, or in a race with one. */
export async function tryInsert(insert: () => PromiseLike<unknown>): Promise<boolean> {
  try {
    await withDeadline(Promise.resolve(insert()));
    return true;
  } catch (error) {
    if (isDuplicateOrLostRace(error)) return false;
    throw error;
  }
}

/**
 * Inserts what may be there already, or be inserted by somebody else at this moment: a lost race is
 * not always told as a duplicate, so what is there decides. Resolves to what `findRival` found, or
 * to undefined when the insert was the one that won.
 */
export async function insertOrFind<T>(options: {
  insert: () => PromiseLike<unknown>;
  findRival: () => PromiseLike<T | null>;
}): Promise<T | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    if (await tryInsert(options.insert)) return undefined;
    const rival = await callMongo(options.findRival);
    if (rival) return rival;
    if (attempt === tries) throw unavailable('The database is busy');
  }
}
