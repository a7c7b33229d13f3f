import { describe, expect, it } from '@jest/globals';
import { createLogger } from '@quicksale/shared/log';
import type { StockLedger } from '@quicksale/shared/stock-ledger';
import { followAllMovements, followRecentMovements, type FollowDeps } from './follow-movements.ts';
import type { Commitment } from './movement.ts';

type Answer = Awaited<ReturnType<StockLedger['raise']>>;

/** A ledger that knows these last units, and MongoDB with these commitments. */
function given(options: {
  known: Record<string, number>;
  committed: Commitment[];
  answers?: Record<string, Answer>;
}) {
  const raised: string[] = [];
  const woken: string[] = [];
  const deps: FollowDeps = {
    sales: {
      listLedgerReady: async () =>
        [...new Set(options.committed.map((c) => c.saleId))].map((saleId) => ({
          saleId,
          putVersion: 1,
        })),
    },
    movements: {
      listCommitments: async (saleId) => options.committed.filter((c) => c.saleId === saleId),
      listCommitmentsSince: async (at) => {
        expect(at).toEqual(new Date(400_000));
        return options.committed;
      },
    },
    timedSales: { wake: async (saleId) => void woken.push(saleId) },
    ledger: {
      lastUnits: async (_saleId, ids) => ids.map((id) => options.known[id] ?? null),
      raise: async (saleId, productId, lastUnit) => {
        raised.push(`${saleId}:${productId} ${lastUnit}`);
        return options.answers?.[saleId] ?? 'raised';
      },
    },
    clock: { now: () => 1_000_000 },
    log: createLogger({ service: 'test', level: 'silent' }),
  };
  return { deps, raised, woken };
}

const committed = (saleId: string, productId: string, lastUnit: number): Commitment => ({
  saleId,
  productId,
  lastUnit,
});

describe.each([
  ['recent', followRecentMovements],
  ['all', followAllMovements],
])('following %s movements', (_, follow) => {
  it('raises what the ledger lacks to the highest, and leaves the rest alone', async () => {
    const { deps, raised, woken } = given({
      known: { behind: 5, level: 9, ahead: 12 },
      committed: [
        committed('s', 'behind', 20),
        committed('s', 'behind', 10),
        committed('s', 'level', 9),
        committed('s', 'ahead', 11),
        committed('t', 'missing', 3),
      ],
    });
    await follow(deps);
    expect(raised).toEqual(['s:behind 20', 't:missing 3']);
    expect(woken).toEqual(['s', 't']);
  });

  it('a sale under repair keeps no other waiting', async () => {
    const { deps, raised } = given({
      known: {},
      committed: [committed('s', 'a', 1), committed('s', 'b', 1), committed('t', 'c', 1)],
      answers: { s: 'fenced' },
    });
    await follow(deps);
    expect(raised).toEqual(['s:a 1', 't:c 1']);
  });

  it('ends its round while the ledger is being checked', async () => {
    const { deps, raised } = given({
      known: {},
      committed: [committed('s', 'a', 1), committed('t', 'c', 1)],
      answers: { s: 'not_admitted' },
    });
    await expect(follow(deps)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(raised).toHaveLength(1);
  });
});
