import { beforeEach, describe, expect, it } from '@jest/globals';
import { unavailable } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import { orderFromHold } from '@quicksale/shared/orders';
import { givenHold, newId } from '@quicksale/shared/testing';
import { createEarlyAnswers, type EarlyAnswers } from './early-answers.ts';
import type { Hold, RecordingOutcome } from './record-holds.ts';

describe('early answers', () => {
  let waiting: { hold: Hold; end: (outcome: RecordingOutcome | Error) => void }[];
  let early: EarlyAnswers;

  beforeEach(() => {
    waiting = [];
    early = createEarlyAnswers({
      recorder: {
        record: (hold) =>
          new Promise((resolve, reject) => {
            const end = (outcome: RecordingOutcome | Error) =>
              'kind' in outcome ? resolve(outcome) : reject(outcome);
            waiting.push({ hold, end });
          }),
      },
      log: createLogger({ service: 'test', level: 'silent' }),
    });
  });

  const settled = () => new Promise((done) => setImmediate(done));
  const recordedAs = ({ record, saleId }: Hold): RecordingOutcome => ({
    kind: 'recorded',
    order: orderFromHold(record, saleId),
    isNew: true,
  });
  const find = ({ record }: Hold, userId = record.userId) => early.find(userId, record.orderId);

  it('are remembered until the order is written, for their buyer alone', async () => {
    const hold = givenHold();
    expect(early.recordLater(hold)).toBe(true);
    expect(find(hold)).toEqual(orderFromHold(hold.record, hold.saleId));
    expect(find(hold, newId())).toBeUndefined();
    waiting[0]?.end(recordedAs(hold));
    await settled();
    expect(find(hold)).toBeUndefined();
  });

  it('are written once, however often they are given', () => {
    const hold = givenHold();
    expect([early.recordLater(hold), early.recordLater(hold)]).toEqual([true, true]);
    expect(waiting).toHaveLength(1);
  });

  it('stay when the database is away, and can be completed when it is back', async () => {
    const hold = givenHold();
    early.recordLater(hold);
    waiting[0]?.end(unavailable('away'));
    await settled();
    expect(find(hold)).toBeDefined();
    expect(await early.complete(newId(), hold.record.orderId)).toBe(false);
    expect(waiting).toHaveLength(1);
    const completed = early.complete(hold.record.userId, hold.record.orderId);
    waiting[1]?.end(recordedAs(hold));
    expect(await completed).toBe(true);
    expect(find(hold)).toBeUndefined();
  });

  it('are given no more when too many are being written, until some are', async () => {
    const holds = Array.from({ length: 5_001 }, () => givenHold());
    const given = holds.map((hold) => early.recordLater(hold));
    expect(given.filter(Boolean)).toHaveLength(5_000);
    expect(given.at(-1)).toBe(false);
    waiting[0]?.end(unavailable('away'));
    await settled();
    expect(early.recordLater(givenHold())).toBe(true);
  });

  it('are forgotten, oldest first, when there are too many that could not be written', async () => {
    const holds = Array.from({ length: 10_001 }, () => givenHold());
    for (const hold of holds) {
      early.recordLater(hold);
      waiting.at(-1)?.end(unavailable('away'));
      await Promise.resolve();
      if (waiting.length % 1_000 === 0) await settled();
    }
    expect(holds.filter((hold) => find(hold))).toHaveLength(10_000);
    expect(find(holds[0] as Hold)).toBeUndefined();
  });
});
