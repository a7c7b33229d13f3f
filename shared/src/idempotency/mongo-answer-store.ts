import { mongo as driver } from 'mongoose';
import { unavailable } from '../errors/index.ts';
import { createIndexes, isDuplicateOrLostRace, withDeadline, type Mongo } from '../mongo/index.ts';
import type { AnswerStore, Begun, KeyClaim, StoredAnswer } from './answer-store.ts';

interface AnswerDocument {
  /** The digest. */
  _id: string;
  fingerprint: string;
  attempt: string;
  state: 'in-progress' | 'finished';
  leaseEndsAt: Date;
  /** The store drops it then: an answer after its time, a lease long after it has ended. */
  expiresAt: Date;
  answer?: Omit<StoredAnswer, 'body'> & { body: driver.Binary };
}

const collectionName = 'idempotency';
/** What a dead process began is kept for as long as a client may come again with the key. */
const begunKeptMs = 24 * 3_600_000;

/** Creates the index by which records go when their time has come. */
export function createAnswerIndexes(mongo: Pick<Mongo, 'db'>): Promise<void> {
  return createIndexes(mongo.db(), collectionName, [
    { key: { expiresAt: 1 }, name: 'expiresAt_1', expireAfterSeconds: 0 },
  ]);
}

/** The answer store on MongoDB; `_id` decides who of several twins has the key. */
export function createMongoAnswerStore(mongo: Pick<Mongo, 'db' | 'isReachable'>): AnswerStore {
  const answers = () => mongo.db().collection<AnswerDocument>(collectionName);

  async function guarded<T>(operation: () => Promise<T>): Promise<T> {
    if (!mongo.isReachable()) throw unavailable('The database is not reachable');
    try {
      return await withDeadline(operation());
    } catch (error) {
      if (isDuplicateOrLostRace(error)) throw unavailable('The database is busy', error);
      throw error;
    }
  }

  /** False when the key is there already. */
  async function insert(document: AnswerDocument): Promise<boolean> {
    if (!mongo.isReachable()) throw unavailable('The database is not reachable');
    try {
      await withDeadline(answers().insertOne(document));
      return true;
    } catch (error) {
      if (isDuplicateOrLostRace(error)) return false;
      throw error;
    }
  }

  const inHand = ({ digest, attempt }: Pick<KeyClaim, 'digest' | 'attempt'>) =>
    ({ _id: digest, attempt, state: 'in-progress' }) as const;

  return {
    begin: async ({ digest, fingerprint, attempt }, { now, leaseEndsAt }): Promise<Begun> => {
      const expiresAt = new Date(leaseEndsAt.getTime() + begunKeptMs);
      const lease = { attempt, leaseEndsAt, expiresAt };
      if (await insert({ _id: digest, fingerprint, state: 'in-progress', ...lease }))
        return { kind: 'begun' };
      const there = await guarded(() => answers().findOne({ _id: digest }));
      // Given up in this moment: the next look takes it.
      if (!there) return { kind: 'in-progress', fingerprint };
      if (there.state === 'finished' && there.answer)
        return {
          kind: 'finished',
          fingerprint: there.fingerprint,
          answer: { ...there.answer, body: there.answer.body.toString('utf8') },
        };
      if (there.leaseEndsAt <= now && there.fingerprint === fingerprint) {
        const { matchedCount } = await guarded(() =>
          answers().updateOne(inHand({ digest, attempt: there.attempt }), { $set: lease }),
        );
        if (matchedCount === 1) return { kind: 'begun' };
      }
      return { kind: 'in-progress', fingerprint: there.fingerprint };
    },

    finish: async (claim, { body, ...rest }, keepUntil) => {
      const answer = { ...rest, body: new driver.Binary(Buffer.from(body)) };
      const { matchedCount } = await guarded(() =>
        answers().updateOne(inHand(claim), {
          $set: { state: 'finished', answer, expiresAt: keepUntil },
        }),
      );
      return matchedCount === 1;
    },

    giveUp: async (claim) => {
      await guarded(() => answers().deleteOne(inHand(claim)));
    },
  };
}
