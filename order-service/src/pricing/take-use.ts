import { unavailable } from '@quicksale/shared/errors';
import type { Random } from '@quicksale/shared/process';
import type { Discount } from './discount.ts';
import type { DiscountUses, UseAttempt } from './discount-uses.ts';

export interface TakeUseDeps {
  uses: Pick<DiscountUses, 'insert' | 'join' | 'draw' | 'freeSlots' | 'userSlots'>;
  random: Pick<Random, 'integer'>;
}

export type UseTaken =
  | { status: 'taken' }
  /** The key has a use, of a request with another body. */
  | { status: 'key_reused' }
  | { status: 'discount_used_up'; scope: 'user' | 'total' };

type Numbers = { slot?: number; userSlot?: number };

/** Each try is lost only to somebody who took a number. */
const mostTries = 20;

/**
 * Takes a use of a discount for an order, or joins the one that its key has already. Which numbers
 * are tried is a guess; the unique indexes say who has them. Nobody is told that a discount is used
 * up under a key that has a use of it.
 */
export async function takeUse(
  deps: TakeUseDeps,
  discount: Pick<Discount, 'id' | 'usesTotal' | 'usesPerUser'>,
  attempt: UseAttempt,
): Promise<UseTaken> {
  for (let tries = 0; tries < mostTries; tries += 1) {
    const chosen = await chooseNumbers(deps, discount, attempt.userId);
    const isFull = typeof chosen === 'string';
    if (!isFull && (await deps.uses.insert(attempt, { discountId: discount.id, ...chosen })))
      return { status: 'taken' };
    const joined = await joinUse(deps, attempt);
    if (joined) return joined;
    if (isFull) return { status: 'discount_used_up', scope: chosen };
  }
  throw unavailable('Too many orders want this discount at once');
}

/** The use that the key has already, if any. */
export async function joinUse(
  { uses }: { uses: Pick<DiscountUses, 'join'> },
  attempt: UseAttempt,
): Promise<UseTaken | undefined> {
  switch (await uses.join(attempt)) {
    case 'joined':
      return { status: 'taken' };
    case 'other':
      return { status: 'key_reused' };
    case 'none':
      return undefined;
  }
}

/** Numbers that are probably free; what is full when there are none. */
async function chooseNumbers(
  { uses, random }: TakeUseDeps,
  { id, usesTotal, usesPerUser }: Pick<Discount, 'id' | 'usesTotal' | 'usesPerUser'>,
  userId: string,
): Promise<Numbers | 'user' | 'total'> {
  const numbers: Numbers = {};
  const oneOf = (free: readonly number[]) => free[random.integer(free.length)];
  // The buyer's own first: who has had all of his is not to use up the numbers of all.
  if (usesPerUser !== undefined) {
    const taken = new Set(await uses.userSlots(id, userId));
    const all = Array.from({ length: usesPerUser }, (_, index) => index + 1);
    const free = all.filter((number) => !taken.has(number));
    if (free.length === 0) return 'user';
    numbers.userSlot = oneOf(free);
  }
  if (usesTotal !== undefined) {
    const drawn = await uses.draw(id, usesTotal);
    const free = drawn === undefined ? await uses.freeSlots(id, usesTotal) : [drawn];
    if (free.length === 0) return 'total';
    numbers.slot = oneOf(free);
  }
  return numbers;
}
