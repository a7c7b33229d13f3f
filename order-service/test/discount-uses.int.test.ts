import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@quicksale/shared/process';
import { newId } from '@quicksale/shared/testing';
import type { DiscountUse, DiscountUses, UseAttempt } from '../src/pricing/discount-uses.ts';
import { createMongoDiscountUses } from '../src/pricing/mongo-discount-uses.ts';
import { startDiscounts, type DiscountFixture } from './discount-fixture.ts';

describe('uses of discounts in MongoDB', () => {
  let fixture: DiscountFixture;
  let uses: DiscountUses;
  /** Of another process. */
  let others: DiscountUses;
  beforeAll(async () => {
    fixture = await startDiscounts({ QUICKSALE_REPAIRS_OFF: 'discount-uses' });
    uses = createMongoDiscountUses(fixture.mongo, systemClock);
    others = createMongoDiscountUses(fixture.mongo, systemClock);
  }, 60_000);
  afterAll(() => fixture?.stop());

  const attemptOf = (id = newId(), at = new Date()): UseAttempt => ({
    ...{ id, userId: newId(), fingerprint: 'f', saleId: newId(), at },
  });
  const stored = (id: string) =>
    fixture.mongo.db().collection<{ _id: string }>('discount-uses').findOne({ _id: id });
  const dueOf = async (id: string): Promise<DiscountUse> => {
    const due = await uses.findDue(new Date(Date.now() + 3_600_000), 10_000);
    const found = due.find((use) => use.id === id);
    if (!found) throw new Error(`${id} is not due`);
    return found;
  };

  it('have gaps that are found among thousands, and are told to be full when they are', async () => {
    const discountId = newId();
    const usesTotal = 2_000;
    const gaps = [3, 500, 501, 1_777];
    const slots = Array.from({ length: usesTotal }, (_, index) => index + 1);
    await fixture.mongo
      .db()
      .collection('discount-uses')
      .insertMany(
        slots
          .filter((slot) => !gaps.includes(slot))
          .map((slot) => ({ _id: newId() as never, discountId, slot, userId: newId() })),
      );
    for (let left = gaps.length; left > 0; left -= 1) {
      const [slot] = await uses.freeSlots(discountId, usesTotal);
      if (slot === undefined) throw new Error(`nothing free with ${left} left`);
      expect(gaps).toContain(slot);
      expect(await uses.insert(attemptOf(), { discountId, slot })).toBe(true);
      expect(await uses.insert(attemptOf(), { discountId, slot })).toBe(false);
    }
    expect(await uses.freeSlots(discountId, usesTotal)).toEqual([]);
    // More of them may be had once the merchant says so.
    expect(await uses.freeSlots(discountId, usesTotal + 2)).toEqual([2_001, 2_002]);
    expect((await uses.counts([discountId, newId()])).get(discountId)).toBe(usesTotal);
  });

  it('that come back are seen at once where they did, and within seconds elsewhere', async () => {
    const discountId = newId();
    const attempt = attemptOf();
    await uses.insert(attempt, { discountId, slot: 1 });
    expect(await uses.freeSlots(discountId, 1)).toEqual([]);
    expect(await others.freeSlots(discountId, 1)).toEqual([]);
    await uses.giveUp({ id: attempt.id, discountId });
    expect(await uses.freeSlots(discountId, 1)).toEqual([1]);
    await new Promise((done) => setTimeout(done, 1_100));
    expect(await others.freeSlots(discountId, 1)).toEqual([1]);
  });

  it('go with the last attempt that is refused, however the others end', async () => {
    for (let round = 0; round < 30; round += 1) {
      const discountId = newId();
      const attempt = attemptOf();
      await uses.insert(attempt, { discountId, slot: 1 });
      const joined = await Promise.all([1, 2, 3].map(() => others.join(attempt)));
      expect(joined).toEqual(['joined', 'joined', 'joined']);
      const refused = round % 2 === 0 ? 3 : 4;
      await Promise.all(
        Array.from({ length: refused }, (_, index) =>
          (index % 2 === 0 ? uses : others).giveUp({ id: attempt.id, discountId }),
        ),
      );
      const left = await stored(attempt.id);
      if (refused === 4) expect(left).toBeNull();
      else expect(left).toMatchObject({ inFlight: 1 });
    }
  });

  it('are not dropped when an attempt has begun since they were read', async () => {
    const long = new Date(Date.now() - 3_600_000);
    const attempt = attemptOf(newId(), long);
    await uses.insert(attempt, { discountId: newId() });
    const seen = await dueOf(attempt.id);
    expect(await uses.join({ ...attempt, saleId: 'another', at: new Date() })).toBe('joined');
    expect(await others.drop(seen)).toBe(false);
    const now = await dueOf(attempt.id);
    expect(now).toMatchObject({ inFlight: 2, saleIds: [attempt.saleId, 'another'] });
    // Refused: as many as before, and yet not what was seen.
    await uses.giveUp(now);
    expect(await others.drop(seen)).toBe(false);
    expect(await others.drop(await dueOf(attempt.id))).toBe(true);
  });

  it('are looked at when they are due, and no more once they are final', async () => {
    const attempt = attemptOf();
    await uses.insert(attempt, { discountId: newId() });
    const ids = async (at: number) =>
      (await uses.findDue(new Date(at), 10_000)).map(({ id }) => id).includes(attempt.id);
    const taken = attempt.at.getTime();
    expect([await ids(taken + 59_999), await ids(taken + 60_000)]).toEqual([false, true]);
    const use = await dueOf(attempt.id);
    await uses.reschedule([{ use, at: new Date(taken + 90_000) }]);
    expect([await ids(taken + 60_000), await ids(taken + 90_000)]).toEqual([false, true]);
    await uses.reschedule([{ use, at: undefined }]);
    expect(await ids(taken + 10_000_000)).toBe(false);
  });
});
