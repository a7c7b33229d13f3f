import { describe, expect, it } from '@jest/globals';
import { createLogger } from '@quicksale/shared/log';
import { eventually } from '@quicksale/shared/testing';
import { createRebuildRunner, type RunRebuildsDeps } from './run-rebuilds.ts';

/** Sales of which somebody else has every lease, and how long it takes to hear that. */
function setUp(saleIds: string[]) {
  const inDoubt = new Set<string>();
  const asked: string[] = [];
  const ends = new Map<string, () => void>();
  let atOnce = 0;
  let most = 0;
  const deps = {
    sales: { listLedgerReady: async () => saleIds.map((saleId) => ({ saleId, putVersion: 1 })) },
    ledger: {
      saleStates: async () => saleIds.map((id) => (inDoubt.has(id) ? 'fenced' : 'live')),
    },
    leases: {
      take: async (saleId: string) => {
        asked.push(saleId);
        most = Math.max(most, (atOnce += 1));
        await new Promise<void>((resolve) => ends.set(saleId, resolve));
        atOnce -= 1;
        inDoubt.delete(saleId);
        return undefined;
      },
    },
    clock: { now: () => 1_000 },
    metrics: { noteInDoubt: () => undefined },
    log: createLogger({ service: 'test', level: 'silent' }),
  } as unknown as RunRebuildsDeps;
  return { deps, inDoubt, asked, end: (id: string) => ends.get(id)?.(), mostAtOnce: () => most };
}

describe('the runner of rebuilds', () => {
  it('finds a sale that is fenced while it is at another one', async () => {
    const { deps, inDoubt, asked, end } = setUp(['slow', 'other']);
    inDoubt.add('slow');
    const round = createRebuildRunner(deps)();
    await eventually(() => expect(asked).toEqual(['slow']));
    inDoubt.add('other');
    await eventually(() => expect(asked).toEqual(['slow', 'other']));
    for (const id of ['other', 'slow']) end(id);
    await round;
    expect(asked).toEqual(['slow', 'other']);
  });

  it('does a few at a time, each once', async () => {
    const saleIds = ['a', 'b', 'c', 'd', 'e'];
    const { deps, inDoubt, asked, end, mostAtOnce } = setUp(saleIds);
    for (const id of saleIds) inDoubt.add(id);
    const round = createRebuildRunner(deps)();
    for (const id of saleIds) {
      await eventually(() => expect(asked).toContain(id));
      end(id);
    }
    await round;
    expect(asked).toEqual(saleIds);
    expect(mostAtOnce()).toBe(3);
  });
});
