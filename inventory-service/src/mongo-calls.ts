import { unavailable } from '@quicksale/shared/errors';
import { isDuplicateOrLostRace, withDeadline } from '@quicksale/shared/mongo';

const tries = 5;

/**
 * Runs an operation that may be done twice: one that lost a race is run again, and a database that
 * is away becomes AppError `dependency-unavailable`.
 */
export async function callMongo<T>(operation: () => PromiseLike<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await withDeadline(Promise.resolve(operation()));
    } catch (error) {
      if (!isDuplicateOrLostRace(error)) throw error;
      if (attempt === tries) throw unavailable('The database is busy', error);
    }
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
    try {
      await withDeadline(Promise.resolve(options.insert()));
      return undefined;
    } catch (error) {
      if (!isDuplicateOrLostRace(error)) throw error;
      const rival = await callMongo(options.findRival);
      if (rival) return rival;
      if (attempt === tries) throw unavailable('The database is busy', error);
    }
  }
}
