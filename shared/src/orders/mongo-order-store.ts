import { mongo as driver } from 'mongoose';
import {
  createIndexes,
  isDuplicateOrLostRace,
  withDeadline,
  writeErrorsOf,
  type Mongo,
} from '../mongo/index.ts';
import { unavailable } from '../errors/index.ts';
import type { OrderChange } from './order-step.ts';
import { firstScanAfter } from './order-from-hold.ts';
import type { Order } from './order.ts';
import { findOfMerchant, type OrderDocument } from './mongo-merchant-orders.ts';
import type { InsertOutcome, OrderStore } from './order-store.ts';

const collectionName = 'orders';

/** Creates the indexes of the orders; the unique one on `units` is what bounds what can be sold. */
export function createOrderIndexes(mongo: Mongo): Promise<void> {
  return createIndexes(mongo.db(), collectionName, [
    {
      key: { idempotencyDigest: 1 },
      name: 'idempotencyDigest_1',
      unique: true,
      partialFilterExpression: { idempotencyDigest: { $exists: true } },
    },
    {
      key: { units: 1 },
      name: 'units_1',
      unique: true,
      partialFilterExpression: { units: { $exists: true } },
    },
    { key: { userId: 1, _id: 1 }, name: 'userId_1__id_1' },
    {
      key: { outboxAt: 1 },
      name: 'outboxAt_1',
      partialFilterExpression: { outboxAt: { $exists: true } },
    },
    { key: { saleId: 1, _id: 1 }, name: 'saleId_1__id_1' },
    {
      key: { merchantId: 1, _id: 1 },
      name: 'merchantId_1__id_1',
      partialFilterExpression: { merchantId: { $exists: true } },
    },
    {
      key: { merchantId: 1, status: 1, _id: 1 },
      name: 'merchantId_1_status_1__id_1',
      partialFilterExpression: { merchantId: { $exists: true } },
    },
  ]);
}

/** The order store on MongoDB, through the native driver: a group insert costs 5 us a document. */
export function createMongoOrderStore(mongo: Mongo): OrderStore {
  const orders = () => mongo.db().collection<OrderDocument>(collectionName);
  const find = async (filter: driver.Filter<OrderDocument>): Promise<Order[]> =>
    (await guarded(orders().find(filter).toArray())).map(fromDocument);

  async function dropMarks(
    list: 'releasing' | 'shipping',
    marks: readonly { id: string; units: readonly string[] }[],
  ): Promise<void> {
    if (marks.length === 0) return;
    // Nearly always they are all that there is: then one update does it.
    const { matchedCount } = await guarded(
      orders().bulkWrite(
        marks.map(({ id, units }) => ({
          updateOne: {
            filter: { _id: objectId(id), [list]: [...units] },
            update: { $unset: { [list]: '' } },
          },
        })),
        { ordered: false },
      ),
    );
    if (matchedCount === marks.length) return;
    await guarded(
      orders().bulkWrite(
        marks.flatMap(({ id, units }) => [
          {
            updateOne: {
              filter: { _id: objectId(id) },
              update: { $pull: { [list]: { $in: [...units] } } },
            },
          },
          {
            updateOne: {
              filter: { _id: objectId(id), [list]: { $size: 0 } },
              update: { $unset: { [list]: '' } },
            },
          },
        ]),
      ),
    );
  }

  return {
    isReachable: () => mongo.isReachable(),

    insertMany: async (batch) => {
      if (batch.length === 0) return [];
      const outcomes: InsertOutcome[] = batch.map(() => ({ kind: 'inserted' }));
      try {
        await withDeadline(orders().insertMany(batch.map(toDocument), { ordered: false }));
      } catch (error) {
        for (const { index, cause } of writeErrorsOf(error))
          outcomes[index] = isDuplicateOrLostRace(cause)
            ? { kind: 'conflict' }
            : { kind: 'refused', cause };
      }
      return outcomes;
    },

    findRelated: ({ ids, digests, units }) =>
      find({
        $or: [
          { _id: { $in: ids.map(objectId) } },
          { idempotencyDigest: { $in: [...digests] } },
          { units: { $in: [...units] } },
        ],
      }),

    findByIds: (ids) => find({ _id: { $in: ids.map(objectId) } }),

    findOwn: async (userId, id) => (await find({ _id: objectId(id), userId, kind: 'order' }))[0],

    listOwn: async (userId, { status, saleId, before, limit }) => {
      const documents = await guarded(
        orders()
          .find({
            userId,
            kind: 'order',
            ...(before && { _id: { $lt: objectId(before) } }),
            ...(status && { status: status as Order['status'] }),
            ...(saleId && { saleId }),
          })
          .sort({ _id: -1 })
          .limit(limit + 1)
          .hint('userId_1__id_1')
          .toArray(),
      );
      const page = documents.slice(0, limit).map(fromDocument);
      return { orders: page, next: documents.length > limit ? page.at(-1)?.id : undefined };
    },

    listOfMerchant: async (filter) => {
      const { documents, next } = await guarded(findOfMerchant(orders(), filter));
      return { orders: documents.map(fromDocument), next };
    },

    applyChanges: async (changes) => {
      if (changes.length === 0) return { matched: 0 };
      // Sorted by _id: unordered compare-and-sets of two processes then never wait in a ring.
      const sorted = [...changes].sort((a, b) => (a.id < b.id ? -1 : 1));
      const result = await guarded(
        orders().bulkWrite(
          sorted.map(({ id, change }) => ({
            updateOne: {
              filter: { _id: objectId(id), version: change.fromVersion },
              update: toUpdate(change),
            },
          })),
          { ordered: false },
        ),
      );
      return { matched: result.matchedCount };
    },

    pullOutbox: async (entries) => {
      if (entries.length === 0) return;
      await guarded(
        orders().bulkWrite(
          entries.map(({ id, outboxIds }) => ({
            updateOne: {
              filter: { _id: objectId(id) },
              update: { $pull: { outbox: { id: { $in: [...outboxIds] } } } },
            },
          })),
          { ordered: false },
        ),
      );
    },

    finishRelease: (releases) => dropMarks('releasing', releases),
    finishShipping: (shipments) => dropMarks('shipping', shipments),

    finishRepaying: async (seen) => {
      if (seen.length === 0) return;
      await guarded(
        orders().bulkWrite(
          seen.map(({ id, version }) => ({
            updateOne: {
              filter: { _id: objectId(id), version },
              update: { $unset: { repaying: '' } },
            },
          })),
          { ordered: false },
        ),
      );
    },

    findOutboxDue: async (now, limit) => {
      // The partial index serves only filters that repeat its condition.
      const filter = { outboxAt: { $exists: true, $lte: now } };
      return (await guarded(orders().find(filter).limit(limit).toArray())).map(fromDocument);
    },

    countStuck: (before) =>
      guarded(
        orders().countDocuments({
          outboxAt: { $exists: true },
          updatedAt: { $lt: before },
          $or: [
            { 'outbox.0': { $exists: true } },
            { releasing: { $exists: true } },
            { shipping: { $exists: true } },
            { repaying: true },
          ],
        }),
      ),

    rescheduleOutbox: async (next) => {
      if (next.length === 0) return;
      await guarded(
        orders().bulkWrite(
          next.map(({ order, at, tries }) => ({
            updateOne: {
              filter: {
                _id: objectId(order.id),
                version: order.version,
                ...(order.outboxAt && { outboxAt: order.outboxAt }),
              },
              update: at
                ? { $set: { outboxAt: at, outboxTries: tries } }
                : { $unset: { outboxAt: '', outboxTries: '', outbox: '' } },
            },
          })),
          { ordered: false },
        ),
      );
    },
  };
}

function toUpdate(change: OrderChange): driver.UpdateFilter<OrderDocument> {
  const { historyEntry, addOutbox, release, removeOutbox, keepsUnits, ship } = change;
  const pull = {
    ...(!change.settlesOutbox &&
      removeOutbox.length > 0 && { outbox: { id: { $in: [...removeOutbox] } } }),
    ...(release?.length && keepsUnits && { units: { $in: [...release] } }),
  };
  const unset = {
    ...(change.settlesOutbox && ({ outbox: '', outboxAt: '', outboxTries: '' } as const)),
    // The list goes as a whole: two orders with an empty one would collide in the unique index.
    ...(release?.length && !keepsUnits && ({ units: '' } as const)),
  };
  return {
    $set: {
      ...change.state,
      version: historyEntry.version,
      updatedAt: historyEntry.at,
      ...(addOutbox && { outboxAt: firstScanAfter(historyEntry.at) }),
      ...(ship?.length && { shipping: [...ship] }),
      ...(change.trackingNumber && { trackingNumber: change.trackingNumber }),
      ...(change.repay && { repaying: true as const }),
    },
    $push: {
      history: historyEntry,
      ...(addOutbox && { outbox: addOutbox }),
      // Appended: two releases of one order must not take each other's marks.
      ...(release?.length && { releasing: { $each: [...release] } }),
    },
    ...(Object.keys(unset).length > 0 && { $unset: unset }),
    ...(Object.keys(pull).length > 0 && { $pull: pull }),
  };
}

async function guarded<T>(operation: Promise<T>): Promise<T> {
  try {
    return await withDeadline(operation);
  } catch (error) {
    // A lost connection comes wrapped like a document's own error: told apart here, else a consumer
    // would take an absent database for a bad event.
    const causes =
      error instanceof driver.MongoBulkWriteError
        ? writeErrorsOf(error).map((e) => e.cause)
        : [error];
    // Documents of an unordered batch may lose a race that the caller simply repeats.
    if (causes.every(isDuplicateOrLostRace)) throw unavailable('The database is busy', error);
    throw error;
  }
}

const objectId = (id: string) => new driver.ObjectId(id);

function toDocument({ id, ...rest }: Order): OrderDocument {
  return { _id: objectId(id), ...rest };
}

function fromDocument({ _id, ...rest }: OrderDocument): Order {
  return { id: _id.toHexString(), ...rest };
}
