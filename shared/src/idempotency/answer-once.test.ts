import { beforeEach, describe, expect, it } from '@jest/globals';
import { AppError, unavailable } from '../errors/index.ts';
import { createSystemRandom } from '../process/ports.ts';
import { newId } from '../testing/orders.ts';
import { createAnswerOnce, type AnswerOnce } from './answer-once.ts';
import type { AnswerStore, StoredAnswer } from './answer-store.ts';
import { createMemoryAnswerStore } from './memory-answer-store.ts';

describe('answering once', () => {
  let nowMs: number;
  let store: AnswerStore;
  let answerOnce: AnswerOnce;
  let request: { digest: string; fingerprint: string };
  let executions: number;

  beforeEach(() => {
    nowMs = 1_000_000;
    executions = 0;
    store = createMemoryAnswerStore();
    request = { digest: newId(), fingerprint: 'body' };
    answerOnce = createOn(store);
  });

  const createOn = (on: AnswerStore) =>
    createAnswerOnce({
      store: on,
      clock: { now: () => nowMs },
      random: createSystemRandom(),
      wait: async (ms) => void (nowMs += ms),
    });

  const answerNumber = (n: number): StoredAnswer => ({
    status: 200,
    contentType: 'application/json',
    headers: { ETag: `"${n}"` },
    body: String(n),
  });
  const execute = async () => answerNumber((executions += 1));
  const begin = () =>
    store.begin(
      { ...request, attempt: 'another process' },
      { now: new Date(nowMs), leaseEndsAt: new Date(nowMs + 5_000) },
    );

  it('executes once and says the same again', async () => {
    const [first, second] = [
      await answerOnce(request, execute),
      await answerOnce(request, execute),
    ];
    expect(first).toEqual({ ...answerNumber(1), isReplay: false });
    expect(second).toEqual({ ...answerNumber(1), isReplay: true });
    expect(executions).toBe(1);
  });

  it('refuses another request under the key, finished or not', async () => {
    const other = { ...request, fingerprint: 'other' };
    await begin();
    await expect(answerOnce(other, execute)).rejects.toMatchObject({
      code: 'idempotency-key-reused',
    });
    nowMs += 6_000;
    await expect(answerOnce(other, execute)).rejects.toMatchObject({
      code: 'idempotency-key-reused',
    });
    await answerOnce(request, execute);
    await expect(answerOnce(other, execute)).rejects.toMatchObject({
      code: 'idempotency-key-reused',
    });
    expect(executions).toBe(1);
  });

  it('waits two seconds for a twin, then says that it is under way', async () => {
    await begin();
    const start = nowMs;
    await expect(answerOnce(request, execute)).rejects.toMatchObject({
      code: 'request-in-progress',
      retryAfterSeconds: 1,
    });
    expect(nowMs - start).toBeGreaterThanOrEqual(2_000);
    expect(nowMs - start).toBeLessThan(3_000);
    expect(executions).toBe(0);
  });

  it('executes again once the lease of a process that died has ended', async () => {
    await begin();
    nowMs += 4_900;
    expect(await answerOnce(request, execute)).toMatchObject({ body: '1', isReplay: false });
  });

  it.each([new AppError('sold-out'), unavailable('away'), new Error('a defect')])(
    'keeps nothing of what was thrown: %s',
    async (thrown) => {
      const failing = async () => Promise.reject<StoredAnswer>(thrown);
      await expect(answerOnce(request, failing)).rejects.toBe(thrown);
      expect(await answerOnce({ ...request, fingerprint: 'other' }, execute)).toMatchObject({
        body: '1',
      });
    },
  );

  it('says 503 when the answer cannot be kept, and executes again', async () => {
    const failing = createOn({
      ...store,
      finish: async () => Promise.reject<boolean>(unavailable('away')),
    });
    await expect(failing(request, execute)).rejects.toMatchObject({
      code: 'dependency-unavailable',
    });
    expect(await answerOnce(request, execute)).toMatchObject({ body: '2', isReplay: false });
  });

  it('tells what the other one stored when it was taken for dead', async () => {
    const slow = async () => {
      nowMs += 10_000;
      await answerOnce(request, async () => answerNumber(100));
      return answerNumber(1);
    };
    expect(await answerOnce(request, slow)).toEqual({ ...answerNumber(100), isReplay: true });
  });
});
