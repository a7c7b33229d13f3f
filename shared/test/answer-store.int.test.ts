import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createAnswerIndexes, createMongoAnswerStore } from '../src/idempotency/index.ts';
import { createLogger } from '../src/log/index.ts';
import { connectMongo } from '../src/mongo/index.ts';
import { newId, testNamespace } from '../src/testing/index.ts';
import { answerStoreSuite } from '../src/testing/answer-store-suite.ts';

describe('the answer store in MongoDB', () => {
  const mongo = connectMongo({
    url: process.env.MONGO_URL ?? '',
    namespace: testNamespace('answers'),
    log: createLogger({ service: 'test', level: 'silent' }),
  });
  beforeAll(async () => {
    await mongo.start();
    await createAnswerIndexes(mongo);
  });
  afterAll(() => mongo.stop());

  const store = createMongoAnswerStore(mongo);
  answerStoreSuite(() => store);

  it('has records go by themselves, a day after they were begun at the earliest', async () => {
    const records = mongo.db().collection<{ _id: string; expiresAt: Date }>('idempotency');
    const indexes = await records.indexes();
    expect(indexes).toContainEqual(
      expect.objectContaining({ key: { expiresAt: 1 }, expireAfterSeconds: 0 }),
    );
    const now = new Date();
    const claim = { digest: newId(), fingerprint: 'body', attempt: newId() };
    await store.begin(claim, { now, leaseEndsAt: now });
    const day = 24 * 3_600_000;
    const begun = await records.findOne({ _id: claim.digest });
    expect(begun?.expiresAt.getTime()).toBeGreaterThanOrEqual(now.getTime() + day);
    const keepUntil = new Date(now.getTime() + 2 * day);
    const answer = { status: 200, contentType: '', headers: {}, body: '' };
    await store.finish(claim, answer, keepUntil);
    expect((await records.findOne({ _id: claim.digest }))?.expiresAt).toEqual(keepUntil);
  });

  it('says at once that it is away', async () => {
    const away = createMongoAnswerStore({ db: () => mongo.db(), isReachable: () => false });
    const claim = { digest: newId(), fingerprint: 'body', attempt: newId() };
    const unavailable = { code: 'dependency-unavailable' };
    const times = { now: new Date(), leaseEndsAt: new Date() };
    await expect(away.begin(claim, times)).rejects.toMatchObject(unavailable);
    await expect(away.giveUp(claim)).rejects.toMatchObject(unavailable);
  });
});
