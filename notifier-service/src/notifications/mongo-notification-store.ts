import { mongo as driver } from 'mongoose';
import { unavailable } from '@quicksale/shared/errors';
import {
  createIndexes,
  isDuplicateOrLostRace,
  withDeadline,
  writeErrorsOf,
  type Mongo,
} from '@quicksale/shared/mongo';
import type { NotificationStore } from './notification-store.ts';
import type { Notification } from './notification.ts';

type NotificationDocument = Omit<Notification, 'id' | 'at' | 'readAt'> & {
  _id: string;
  at: Date;
  readAt: Date | null;
};

const collectionName = 'notifications';
const bySeq = { userId: 1, seq: 1 } as const;

/** Creates the index that keeps a user's numbers apart. */
export function createNotificationIndexes(mongo: Mongo): Promise<void> {
  return createIndexes(mongo.db(), collectionName, [
    { key: bySeq, name: 'userId_1_seq_1', unique: true },
  ]);
}

/** The store on MongoDB, through the native driver. */
export function createMongoNotificationStore(mongo: Mongo): NotificationStore {
  const collection = () => mongo.db().collection<NotificationDocument>(collectionName);

  return {
    insert: async (batch) => {
      // Sorted by the contested key: shuffled batches that race block each other for seconds.
      const documents = batch.map(toDocument).sort((a, b) => (a._id < b._id ? -1 : 1));
      try {
        await withDeadline(collection().insertMany(documents, { ordered: false }));
        return new Set();
      } catch (error) {
        return refusedIn(error, documents);
      }
    },
    isEmpty: () =>
      guarded(async () => (await collection().findOne({}, { projection: { _id: 1 } })) === null),
    findByIds: (ids) =>
      guarded(async () => {
        const found = await collection()
          .find({ _id: { $in: [...ids] } })
          .toArray();
        return found.map(fromDocument);
      }),
    summaries: (userIds) =>
      guarded(async () => {
        const rows = await collection()
          .aggregate<{ _id: string; lastSeq: number; unread: number }>([
            { $match: { userId: { $in: [...userIds] } } },
            {
              $group: {
                _id: '$userId',
                lastSeq: { $max: '$seq' },
                unread: { $sum: { $cond: [{ $eq: ['$readAt', null] }, 1, 0] } },
              },
            },
          ])
          .toArray();
        return new Map(rows.map(({ _id, lastSeq, unread }) => [_id, { lastSeq, unread }]));
      }),
    after: (userId, seq, limit) =>
      guarded(async () => {
        const found = await collection()
          .find({ userId, seq: { $gt: seq } })
          .hint(bySeq)
          .sort({ seq: 1 })
          .limit(limit)
          .toArray();
        return found.map(fromDocument);
      }),
    afterEach: (seqs) =>
      guarded(async () => {
        // One lower bound for all; what a user has already is dropped here.
        const lowest = Math.min(...seqs.values());
        const found = await collection()
          .find({ userId: { $in: [...seqs.keys()] }, seq: { $gt: lowest } })
          .toArray();
        return found
          .filter(({ userId, seq }) => seq > (seqs.get(userId) ?? Infinity))
          .sort((a, b) => a.seq - b.seq)
          .map(fromDocument);
      }),
  };
}

/** Ids of documents that lost on a unique key. Anything else that went wrong is thrown. */
function refusedIn(
  error: unknown,
  documents: readonly NotificationDocument[],
): ReadonlySet<string> {
  const bulk = error instanceof driver.MongoBulkWriteError && [error.writeErrors].flat().length > 0;
  // A lost race may be reported for the whole command: every document is then looked up.
  if (!bulk && isDuplicateOrLostRace(error)) return new Set(documents.map(({ _id }) => _id));
  const refused = new Set<string>();
  for (const { index, cause } of writeErrorsOf(error)) {
    if (!isDuplicateOrLostRace(cause)) throw cause;
    const document = documents[index];
    if (document) refused.add(document._id);
  }
  return refused;
}

async function guarded<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await withDeadline(work());
  } catch (error) {
    throw isDuplicateOrLostRace(error) ? unavailable('The database is busy', error) : error;
  }
}

function toDocument({ id, at, readAt, ...rest }: Notification): NotificationDocument {
  return { _id: id, ...rest, at: new Date(at), readAt: readAt === null ? null : new Date(readAt) };
}

function fromDocument(document: driver.WithId<NotificationDocument>): Notification {
  const { _id, at, readAt, ...rest } = document;
  return { id: _id, ...rest, at: at.toISOString(), readAt: readAt?.toISOString() ?? null };
}
