/**
 * The uses of discounts. A use is one document, named by the digest of the order's idempotency key
 * and there before the ledger is asked. Of a discount that is limited each has a number of its own,
 * 1..usesTotal, and of one that is limited per buyer a number 1..usesPerUser among that buyer's:
 * unique indexes on these are what bounds the uses, whatever races or crashes.
 *
 * A use goes only when no order has it and none can get it any more: `inFlight` counts the attempts
 * under its key that are not known to have been refused, those of the past included.
 */
export interface DiscountUse {
  /** Digest of the idempotency key of the order. */
  id: string;
  discountId: string;
  userId: string;
  /** Fingerprint of the request: another one under the same key does not have this use. */
  fingerprint: string;
  /** Sales whose ledgers may know the key. */
  saleIds: readonly string[];
  slot?: number;
  userSlot?: number;
  inFlight: number;
  /** When the last attempt began. */
  takenAt: Date;
  /** When the sweep looks next; absent once the use is final. */
  checkAt?: Date;
}

/** One request that wants a use. */
export interface UseAttempt {
  id: string;
  userId: string;
  fingerprint: string;
  saleId: string;
  at: Date;
}

/** Everything throws AppError `dependency-unavailable` when the store is away. */
export interface DiscountUses {
  /** False when a number or the key is taken, or a race was lost: read what is there. */
  insert(
    attempt: UseAttempt,
    numbers: Pick<DiscountUse, 'discountId' | 'slot' | 'userSlot'>,
  ): Promise<boolean>;
  /** One more attempt under a key that has a use. `other`: it is another request's. */
  join(attempt: UseAttempt): Promise<'joined' | 'other' | 'none'>;
  /** This attempt was refused; the use goes with the last one. */
  giveUp(use: Pick<DiscountUse, 'id' | 'discountId'>): Promise<void>;
  /** The next number that was never drawn; undefined when all have been. */
  draw(discountId: string, usesTotal: number): Promise<number | undefined>;
  /** Some numbers that no use has; none when there are none, or were none a moment ago. */
  freeSlots(discountId: string, usesTotal: number): Promise<readonly number[]>;
  /** Numbers that a buyer has. */
  userSlots(discountId: string, userId: string): Promise<readonly number[]>;
  counts(discountIds: readonly string[]): Promise<Map<string, number>>;
  /** Uses that the sweep has to look at. */
  findDue(now: Date, limit: number): Promise<DiscountUse[]>;
  /** Deletes a use, unless another attempt has begun since it was read. */
  drop(use: DiscountUse): Promise<boolean>;
  /** Sets the sweep's next look; it looks no more where it is undefined. */
  reschedule(next: readonly { use: DiscountUse; at: Date | undefined }[]): Promise<void>;
}

/** The sweep leaves a use alone for so long after its last attempt began. */
export const firstCheckMs = 60_000;
