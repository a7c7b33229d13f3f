import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { openHistory, readHistory } from './history.ts';
import { recoveryTimes } from './recovery.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quicksale-history-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('is read back as it was written; what never ended is unknown', async () => {
  const file = join(folder, 'history.jsonl');
  const history = openHistory(file);
  const items = [{ productId: 'p', quantity: 1 }];
  const end = history.invoke({ type: 'place', userId: 'u', key: 'k', items });
  history.invoke({ type: 'cancel', userId: 'u', orderId: 'o' });
  const done = end({ outcome: 'ok', status: 201, orderId: 'o' });
  await history.close();
  const [first, second, ...none] = readHistory(file);
  expect(none).toEqual([]);
  expect(first).toEqual(done);
  expect(history.ended).toEqual([done]);
  expect(done.endedAt).toBeGreaterThanOrEqual(done.invokedAt);
  expect(second).toMatchObject({ type: 'cancel', outcome: 'unknown', endedAt: Infinity });
});

it('a road is open again with the first success of something asked for after the fault', () => {
  const operation = (invokedAt: number, endedAt: number, outcome: 'ok' | 'unknown') => ({
    ...({ id: 1, type: 'place', userId: 'u', orderId: `o${invokedAt}` } as const),
    ...{ invokedAt, endedAt, outcome, invokedWall: 0 },
  });
  const history = [
    operation(90, 120, 'ok'),
    operation(110, 130, 'unknown'),
    operation(115, 150, 'ok'),
    {
      ...operation(160, 170, 'ok'),
      type: 'read' as const,
      orderId: 'o115',
      told: { status: 'CONFIRMED' },
    },
  ];
  const fault = { name: 'kill', what: '', startedAt: 100, endedAt: 100 };
  expect(recoveryTimes(history, [{ ...fault, affects: 'place' }])).toEqual([50]);
  expect(recoveryTimes(history, [{ ...fault, affects: 'confirm' }])).toEqual([70]);
  expect(recoveryTimes(history, [{ ...fault, affects: 'place', skipped: 'away' }])).toEqual([]);
});
