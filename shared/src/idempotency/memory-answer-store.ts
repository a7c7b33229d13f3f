import type { AnswerStore, Begun, KeyClaim, StoredAnswer } from './answer-store.ts';

interface Entry extends KeyClaim {
  leaseEndsAt: Date;
  answer?: StoredAnswer;
}

/** The answer store in memory, for tests. */
export function createMemoryAnswerStore(): AnswerStore {
  const entries = new Map<string, Entry>();
  /** The entry that an attempt still has in hand. */
  const inHand = ({ digest, attempt }: Pick<KeyClaim, 'digest' | 'attempt'>) => {
    const entry = entries.get(digest);
    return entry?.attempt === attempt && !entry.answer ? entry : undefined;
  };
  return {
    begin: async (claim, { now, leaseEndsAt }): Promise<Begun> => {
      const there = entries.get(claim.digest);
      const isFree =
        !there ||
        (!there.answer && there.leaseEndsAt <= now && there.fingerprint === claim.fingerprint);
      if (isFree) {
        entries.set(claim.digest, { ...claim, leaseEndsAt });
        return { kind: 'begun' };
      }
      const { fingerprint, answer } = there;
      return answer
        ? { kind: 'finished', fingerprint, answer }
        : { kind: 'in-progress', fingerprint };
    },
    finish: async (claim, answer) => {
      const entry = inHand(claim);
      if (entry) entry.answer = answer;
      return entry !== undefined;
    },
    giveUp: async (claim) => {
      if (inHand(claim)) entries.delete(claim.digest);
    },
  };
}
