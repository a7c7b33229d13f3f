import type { mongo as driver } from 'mongoose';
import { unavailable } from '@quicksale/shared/errors';
import { isDuplicateOrLostRace, withDeadline, type Mongo } from '@quicksale/shared/mongo';
import type { VersionedDocuments } from './payment-store.ts';
import { createVersionedDocuments } from './versioned-documents.ts';

export type Stored<T> = Omit<T, 'id'> & { _id: string };

/** Documents of one collection, each changed as a whole and only from the version that was read. */
export function createMongoVersionedDocuments<T extends { id: string; version: number }>(
  mongo: Pick<Mongo, 'db'>,
  name: string,
): VersionedDocuments<T> {
  const collection = () => mongo.db().collection<Stored<T>>(name);
  const byId = (id: string, more: object = {}) =>
    ({ _id: id, ...more }) as driver.Filter<Stored<T>>;

  async function find(id: string): Promise<T | undefined> {
    const found = await guarded(collection().findOne(byId(id)));
    return found ? fromStored<T>(found) : undefined;
  }

  async function replace(next: T, version: number): Promise<boolean> {
    const written = toStored({ ...next, version: version + 1 }) as unknown as driver.WithoutId<
      Stored<T>
    >;
    try {
      const filter = byId(next.id, { version });
      return (await withDeadline(collection().replaceOne(filter, written))).matchedCount === 1;
    } catch (error) {
      if (isDuplicateOrLostRace(error)) return false;
      throw error;
    }
  }

  return createVersionedDocuments({
    find,
    insert: async (document) => {
      try {
        const stored = toStored(document) as driver.OptionalUnlessRequiredId<Stored<T>>;
        await withDeadline(collection().insertOne(stored));
        return true;
      } catch (error) {
        if (isDuplicateOrLostRace(error)) return false;
        throw error;
      }
    },
    replace,
  });
}

/** An operation with a deadline; a race that was lost is the store being busy. */
export async function guarded<R>(operation: Promise<R>): Promise<R> {
  try {
    return await withDeadline(operation);
  } catch (error) {
    if (isDuplicateOrLostRace(error)) throw unavailable('The database is busy', error);
    throw error;
  }
}

/** What is undefined is left out: the driver would store null. */
function toStored<T extends { id: string }>({ id, ...rest }: T): Stored<T> {
  const members = Object.entries(rest).filter(([, value]) => value !== undefined);
  return { _id: id, ...Object.fromEntries(members) } as unknown as Stored<T>;
}

export function fromStored<T>({ _id, ...rest }: driver.WithId<Stored<T>> | Stored<T>): T {
  return { id: _id, ...rest } as unknown as T;
}
