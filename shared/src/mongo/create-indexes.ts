import { setTimeout as sleep } from 'node:timers/promises';
import type { mongo } from 'mongoose';
import type { Db } from './connect-mongo.ts';
import { isDuplicateOrLostRace } from './duplicate-key.ts';

/**
 * Creates indexes at start-up; those that exist stay. DocumentDB may report a deadlock when
 * documents are inserted meanwhile, so it is tried again.
 */
export async function createIndexes(
  db: Db,
  collection: string,
  indexes: readonly mongo.IndexDescription[],
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await db.collection(collection).createIndexes([...indexes]);
      return;
    } catch (error) {
      if (attempt === 5 || !isDuplicateOrLostRace(error)) throw error;
      await sleep(100 * attempt);
    }
  }
}
