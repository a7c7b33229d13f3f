import { describe, expect, it } from '@jest/globals';
import { orderFromHold } from '@quicksale/shared/orders';
import { givenHold } from '@quicksale/shared/testing';
import { createGroupRecorder } from './group-recorder.ts';
import type { Hold, RecordingOutcome } from './record-holds.ts';

const recorded = ({ record, saleId }: Hold): RecordingOutcome => ({
  kind: 'recorded',
  order: orderFromHold(record, saleId),
  isNew: true,
});

describe('the group recorder', () => {
  it('writes together what arrives while an insert is under way', async () => {
    const batches: number[] = [];
    const gates: (() => void)[] = [];
    const recorder = createGroupRecorder({
      record: async (holds) => {
        batches.push(holds.length);
        await new Promise<void>((resolve) => gates.push(resolve));
        return holds.map(recorded);
      },
      largestBatch: 3,
      mostUnits: 100,
      inFlightLimit: 1,
    });
    const holds = Array.from({ length: 5 }, () => givenHold());
    const outcomes = holds.map((hold) => recorder.record(hold));
    for (let round = 0; round < 3; round += 1) {
      while (gates.length === 0) await new Promise(setImmediate);
      gates.shift()?.();
    }
    const orders = (await Promise.all(outcomes)).flatMap((outcome) =>
      outcome.kind === 'recorded' ? [outcome.order.id] : [],
    );
    expect(orders).toEqual(holds.map(({ record }) => record.orderId));
    expect(batches).toEqual([1, 3, 1]);
    await recorder.drain();
  });

  it('cuts a batch by its units, with at least one order in it', async () => {
    const batches: number[] = [];
    const recorder = createGroupRecorder({
      record: async (holds) => {
        batches.push(holds.length);
        return holds.map(recorded);
      },
      largestBatch: 10,
      mostUnits: 3,
      inFlightLimit: 1,
    });
    const units = [[1, 2, 3, 4], [5], [6, 7], [8]];
    await Promise.all(units.map((numbers) => recorder.record(givenHold({ units: numbers }))));
    expect(batches).toEqual([1, 2, 1]);
  });

  it('tells every member of a batch that its outcome is unknown', async () => {
    const recorder = createGroupRecorder({
      record: () => Promise.reject(new Error('away')),
      largestBatch: 10,
      mostUnits: 100,
      inFlightLimit: 1,
    });
    const outcomes = await Promise.allSettled([
      recorder.record(givenHold()),
      recorder.record(givenHold()),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});
