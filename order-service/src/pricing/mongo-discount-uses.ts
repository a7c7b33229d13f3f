import { mongo as driver } from 'mongoose';
import { callMongo, createIndexes, type Mongo, tryInsert } from '@quicksale/shared/mongo';
import type { Clock } from '@quicksale/shared/process';
import { firstCheckMs, type DiscountUse, type DiscountUses } from './discount-uses.ts';
import { createReadThrough } from './read-through.ts';

type UseDocument = Omit<DiscountUse, 'id'> & { _id: string };

const collectionName = 'discount-uses';
/** So many numbers are looked at one by one; where there are more, they are counted first. */
const windowSize = 500;
/** That nothing is left is believed for so long; what comes back in this process is seen at once. */
const usedUpTtlMs = 1_000;
/** Discounts of which something is known. */
const remembered = 1_000;

/** The unique ones are what bounds the uses. */
export function createDiscountUseIndexes(mongo: Pick<Mongo, 'db'>): Promise<void> {
  return createIndexes(mongo.db(), collectionName, [
    {
      key: { discountId: 1, slot: 1 },
      name: 'discountId_1_slot_1',
      unique: true,
      partialFilterExpression: { slot: { $exists: true } },
    },
    {
      key: { discountId: 1, userId: 1, userSlot: 1 },
      name: 'discountId_1_userId_1_userSlot_1',
      unique: true,
      partialFilterExpression: { userSlot: { $exists: true } },
    },
    { key: { discountId: 1 }, name: 'discountId_1' },
    {
      key: { checkAt: 1 },
      name: 'checkAt_1',
      partialFilterExpression: { checkAt: { $exists: true } },
    },
  ]);
}

export function createMongoDiscountUses(mongo: Pick<Mongo, 'db'>, clock: Clock): DiscountUses {
  const uses = () => mongo.db().collection<UseDocument>(collectionName);
  const discounts = () => mongo.db().collection<{ drawn: number }>('discounts');
  /** Up to which number all have been drawn, by discount: that stays so. */
  const drawnOut = new Map<string, number>();
  /** Whose free numbers were asked for, of how many. */
  const askedTotals = new Map<string, number>();
  const free = createReadThrough({
    clock,
    read: readFreeSlots,
    // Where some are left, each caller is to see what the others have taken of them.
    ttlMs: (slots) => (slots.length === 0 ? usedUpTtlMs : 0),
    most: remembered,
  });
  const freeKey = (discountId: string, usesTotal: number) => `${discountId}/${usesTotal}`;
  const forgetFree = (discountId: string) =>
    free.forget(freeKey(discountId, askedTotals.get(discountId) ?? 0));

  /**
   * The highest number that may be taken. Where the merchant has lowered the total, uses that have
   * higher numbers still count: so many of the others stay free.
   */
  async function highestSlot(discountId: string, usesTotal: number): Promise<number> {
    const above = (limit: number) =>
      callMongo(() => uses().countDocuments({ discountId, slot: { $exists: true, $gt: limit } }));
    if ((await above(usesTotal)) === 0) return usesTotal;
    let fits = 0;
    let tooHigh = usesTotal;
    while (tooHigh - fits > 1) {
      const middle = Math.floor((fits + tooHigh) / 2);
      if (middle + (await above(middle)) <= usesTotal) fits = middle;
      else tooHigh = middle;
    }
    return fits;
  }

  async function readFreeSlots(key: string): Promise<readonly number[]> {
    const [discountId = '', usesTotal] = key.split('/');
    let from = 1;
    let to = (await highestSlot(discountId, Number(usesTotal))) + 1;
    const within = (low: number, high: number) => ({
      discountId,
      // The partial index serves only filters that repeat its condition.
      slot: { $exists: true, $gte: low, $lt: high },
    });
    while (to - from > windowSize) {
      const middle = Math.floor((from + to) / 2);
      const taken = await callMongo(() => uses().countDocuments(within(from, middle)));
      if (taken < middle - from) to = middle;
      else from = middle;
    }
    const found = await callMongo(() =>
      uses()
        .find(within(from, to), { projection: { slot: 1 } })
        .toArray(),
    );
    const taken = new Set(found.map(({ slot }) => slot));
    return Array.from({ length: to - from }, (_, index) => from + index).filter(
      (slot) => !taken.has(slot),
    );
  }

  return {
    insert: ({ id, userId, fingerprint, saleId, at }, numbers) =>
      tryInsert(() =>
        uses().insertOne({
          _id: id,
          ...numbers,
          ...{ userId, fingerprint, saleIds: [saleId], inFlight: 1 },
          ...{ takenAt: at, checkAt: new Date(at.getTime() + firstCheckMs) },
        }),
      ),

    join: async ({ id, fingerprint, saleId, at }) => {
      const { matchedCount } = await callMongo(() =>
        uses().updateOne(
          { _id: id, fingerprint },
          {
            $inc: { inFlight: 1 },
            $addToSet: { saleIds: saleId },
            $set: { takenAt: at, checkAt: new Date(at.getTime() + firstCheckMs) },
          },
        ),
      );
      if (matchedCount === 1) return 'joined';
      const there = await callMongo(() => uses().findOne({ _id: id }, { projection: { _id: 1 } }));
      return there ? 'other' : 'none';
    },

    giveUp: async ({ id, discountId }) => {
      // Nearly always it is the only attempt: then one write does it.
      const { deletedCount } = await callMongo(() => uses().deleteOne({ _id: id, inFlight: 1 }));
      if (deletedCount === 0) {
        await callMongo(() => uses().updateOne({ _id: id }, { $inc: { inFlight: -1 } }));
        await callMongo(() => uses().deleteOne({ _id: id, inFlight: 0 }));
      }
      forgetFree(discountId);
    },

    draw: async (discountId, usesTotal) => {
      if ((drawnOut.get(discountId) ?? 0) >= usesTotal) return undefined;
      const drawn = await callMongo(() =>
        discounts().findOneAndUpdate(
          { _id: new driver.ObjectId(discountId), drawn: { $lt: usesTotal } },
          { $inc: { drawn: 1 } },
          { returnDocument: driver.ReturnDocument.AFTER, projection: { drawn: 1 } },
        ),
      );
      if (!drawn) keep(drawnOut, discountId, usesTotal);
      return drawn?.drawn;
    },

    freeSlots: (discountId, usesTotal) => {
      keep(askedTotals, discountId, usesTotal);
      return free.get(freeKey(discountId, usesTotal));
    },

    userSlots: async (discountId, userId) => {
      const own = await callMongo(() =>
        uses()
          .find(
            { discountId, userId, userSlot: { $exists: true } },
            { projection: { userSlot: 1 } },
          )
          .toArray(),
      );
      return own.flatMap(({ userSlot }) => userSlot ?? []);
    },

    counts: async (discountIds) => {
      const found = await callMongo(() =>
        uses()
          .aggregate<{ _id: string; uses: number }>([
            { $match: { discountId: { $in: [...discountIds] } } },
            { $group: { _id: '$discountId', uses: { $sum: 1 } } },
          ])
          .toArray(),
      );
      return new Map(found.map(({ _id, uses: count }) => [_id, count]));
    },

    findDue: async (now, limit) => {
      const due = { checkAt: { $exists: true, $lte: now } };
      const found = await callMongo(() => uses().find(due).limit(limit).toArray());
      return found.map(({ _id, ...rest }) => ({ id: _id, ...rest }));
    },

    drop: async ({ id, discountId, takenAt, inFlight }) => {
      const { deletedCount } = await callMongo(() =>
        uses().deleteOne({ _id: id, takenAt, inFlight }),
      );
      forgetFree(discountId);
      return deletedCount === 1;
    },

    reschedule: async (next) => {
      if (next.length === 0) return;
      const sorted = [...next].sort((a, b) => (a.use.id < b.use.id ? -1 : 1));
      await callMongo(() =>
        uses().bulkWrite(
          sorted.map(({ use, at }) => ({
            updateOne: {
              filter: { _id: use.id, takenAt: use.takenAt },
              update: at ? { $set: { checkAt: at } } : { $unset: { checkAt: '' as const } },
            },
          })),
          { ordered: false },
        ),
      );
    },
  };
}

/** What is dropped is found out again. */
function keep(totals: Map<string, number>, discountId: string, usesTotal: number): void {
  if (totals.size >= remembered) totals.clear();
  totals.set(discountId, usesTotal);
}
