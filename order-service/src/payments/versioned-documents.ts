import { AppError } from '@quicksale/shared/errors';
import type { VersionedDocuments } from './payment-store.ts';

/** What a store of documents has to offer; `replace` is a compare-and-set, false when it misses. */
export interface DocumentPort<T> extends Pick<VersionedDocuments<T>, 'find' | 'insert'> {
  /** Writes `next` as the version after `version`. */
  replace(next: T, version: number): Promise<boolean>;
}

/** Rounds of deciding again when somebody else changes a document meanwhile. */
const mostRounds = 20;

/** Documents that each change as a whole, and only from the version that was read. */
export function createVersionedDocuments<T extends { id: string; version: number }>({
  find,
  insert,
  replace,
}: DocumentPort<T>): VersionedDocuments<T> {
  return {
    find,
    insert,
    change: async (id, decide) => {
      for (let round = 0; round < mostRounds; round += 1) {
        const document = await find(id);
        if (!document) return undefined;
        const next = decide(document);
        if (!next) return { document, isChanged: false };
        if (await replace(next, document.version))
          return { document: { ...next, version: document.version + 1 }, isChanged: true };
      }
      throw new AppError('overloaded', { message: 'The payment keeps changing: try again' });
    },
  };
}
