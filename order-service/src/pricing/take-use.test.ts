import { beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '@quicksale/shared/testing';
import type { DiscountUse, UseAttempt } from './discount-uses.ts';
import { takeUse, type TakeUseDeps } from './take-use.ts';

type Taken = Pick<DiscountUse, 'id' | 'userId' | 'fingerprint' | 'slot' | 'userSlot' | 'inFlight'>;

const at = new Date(0);
const userId = newId();
const attemptOf = (id: string, more: Partial<UseAttempt> = {}): UseAttempt => ({
  ...{ id, userId, fingerprint: 'f', saleId: newId(), at },
  ...more,
});

describe('taking a use of a discount', () => {
  const discountId = newId();
  let taken: Taken[];
  let drawn: number;
  let asked: string[];
  /** What somebody else does before an insert. */
  let before: (() => void) | undefined;
  let deps: TakeUseDeps;

  beforeEach(() => {
    taken = [];
    drawn = 0;
    asked = [];
    before = undefined;
    deps = {
      random: { integer: () => 0 },
      uses: {
        insert: async ({ id, userId, fingerprint }, numbers) => {
          asked.push('insert');
          before?.();
          const isTaken = taken.some(
            (one) =>
              one.id === id ||
              (numbers.slot !== undefined && one.slot === numbers.slot) ||
              (numbers.userSlot !== undefined &&
                one.userId === userId &&
                one.userSlot === numbers.userSlot),
          );
          if (!isTaken) taken.push({ id, userId, fingerprint, ...numbers, inFlight: 1 });
          return !isTaken;
        },
        join: async ({ id, fingerprint }) => {
          asked.push('join');
          const own = taken.find((one) => one.id === id);
          if (!own) return 'none';
          if (own.fingerprint !== fingerprint) return 'other';
          own.inFlight += 1;
          return 'joined';
        },
        draw: async (_id, usesTotal) => {
          asked.push('draw');
          if (drawn >= usesTotal) return undefined;
          drawn += 1;
          return drawn;
        },
        freeSlots: async (_id, usesTotal) => {
          asked.push('free');
          const slots = Array.from({ length: usesTotal }, (_, index) => index + 1);
          return slots.filter((slot) => !taken.some((one) => one.slot === slot));
        },
        userSlots: async (_id, asker) => {
          asked.push('own');
          return taken.flatMap((one) => (one.userId === asker ? (one.userSlot ?? []) : []));
        },
      },
    };
  });

  const take = (limits: { usesTotal?: number; usesPerUser?: number }, attempt: UseAttempt) =>
    takeUse(deps, { id: discountId, ...limits }, attempt);

  it('costs one insert where there is no limit', async () => {
    expect(await take({}, attemptOf('a'))).toEqual({ status: 'taken' });
    expect(asked).toEqual(['insert']);
    expect(taken[0]).not.toHaveProperty('slot');
    expect(taken[0]).not.toHaveProperty('userSlot');
  });

  it('draws numbers first, and looks for gaps when all are drawn', async () => {
    for (const id of ['a', 'b', 'c']) await take({ usesTotal: 3 }, attemptOf(id));
    expect(taken.map(({ slot }) => slot)).toEqual([1, 2, 3]);
    expect(asked).not.toContain('free');
    taken = taken.filter(({ slot }) => slot !== 2);
    expect(await take({ usesTotal: 3 }, attemptOf('d'))).toEqual({ status: 'taken' });
    expect(taken.at(-1)?.slot).toBe(2);
    expect(await take({ usesTotal: 3 }, attemptOf('e'))).toEqual({
      ...{ status: 'discount_used_up', scope: 'total' },
    });
  });

  it('tries again when somebody else was faster', async () => {
    drawn = 2;
    before = () => {
      before = undefined;
      const [userId, fingerprint] = [newId(), 'f'];
      taken.push({ id: 'x', userId, fingerprint, slot: 1, inFlight: 1 });
    };
    expect(await take({ usesTotal: 2 }, attemptOf('a'))).toEqual({ status: 'taken' });
    expect(taken.at(-1)).toMatchObject({ id: 'a', slot: 2 });
  });

  it('does not draw for a buyer who has had his', async () => {
    const limits = { usesTotal: 9, usesPerUser: 2 };
    for (const id of ['a', 'b']) await take(limits, attemptOf(id));
    expect(taken.map(({ userSlot }) => userSlot)).toEqual([1, 2]);
    expect(await take(limits, attemptOf('c'))).toEqual({
      ...{ status: 'discount_used_up', scope: 'user' },
    });
    expect(drawn).toBe(2);
    expect(await take(limits, attemptOf('d', { userId: newId() }))).toEqual({ status: 'taken' });
  });

  it('joins the use that the key has, also when there are no others left', async () => {
    const limits = { usesTotal: 1, usesPerUser: 1 };
    await take(limits, attemptOf('a'));
    expect(await take(limits, attemptOf('a'))).toEqual({ status: 'taken' });
    expect(await take({ usesTotal: 1 }, attemptOf('a'))).toEqual({ status: 'taken' });
    expect(taken).toMatchObject([{ id: 'a', inFlight: 3 }]);
  });

  it('has nothing of the use that the key has for another body', async () => {
    await take({}, attemptOf('a'));
    expect(await take({}, attemptOf('a', { fingerprint: 'g' }))).toEqual({ status: 'key_reused' });
    expect(taken).toMatchObject([{ inFlight: 1 }]);
  });

  it('gives up when it loses again and again', async () => {
    before = () => void taken.push({ ...taken[0], slot: drawn } as Taken);
    await expect(take({ usesTotal: 1_000 }, attemptOf('a'))).rejects.toMatchObject({
      code: 'dependency-unavailable',
    });
    expect(drawn).toBe(20);
  });
});
