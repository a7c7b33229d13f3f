import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { auditReport, type AuditReportDeps } from './audit-report.ts';
import type { SaleCounters } from './ledger-books.ts';

const saleId = 'a'.repeat(24);
const at = new Date('2026-01-01T00:00:00Z');
const counters: SaleCounters = {
  ...{ epoch: 1, nowMs: 0, records: 0, settingsVersion: 1, perBuyerLimit: 0 },
  products: new Map([['p', { last: 9, next: 1, available: 9, held: 0, gone: 0, free: 0 }]]),
};

/** A sale of nine units and many pages of orders that have none, with what was read of it when. */
function setUp(pages: number) {
  const reads: string[] = [];
  let [listed, walked] = [0, 0];
  const order = { id: 'o', kind: 'order', userId: 'u', inventoryStatus: 'RELEASED' } as const;
  const deps = {
    books: {
      ledger: {
        readCounters: async () => counters,
        scanRecords: async () => ({ records: [], next: '0' }),
        listFree: async () => [],
        findFree: async () => [],
      },
      orders: {
        listOrders: async () => {
          await turn();
          reads.push('walk');
          return (walked += 1) > pages ? [] : [{ ...order, updatedAt: at }];
        },
        findOrders: async () => [],
        findOwners: async () => [],
        lastUnits: async () => new Map([['p', 9]]),
      },
      clock: { now: () => 0 },
    },
    history: {
      listOrders: async () => {
        await turn();
        reads.push('list');
        return (listed += 1) > pages
          ? []
          : [{ ...order, orderNumber: 'n', status: 'CANCELLED', createdAt: at, history: [] }];
      },
      listMovements: async () => [],
      countRefusals: async () => ({}),
    },
  } as unknown as AuditReportDeps;
  return { reads, lines: auditReport(deps, { saleId, kind: 'timed' }, at) };
}

describe('the books of a sale', () => {
  it('are judged while they are listed, so that their verdict does not let wait', async () => {
    const { reads, lines } = setUp(20);
    const records = [];
    for await (const { record } of lines) records.push(record);
    expect(records).toEqual(['sale', 'products', 'verdict']);
    expect(reads.indexOf('walk')).toBeLessThan(reads.lastIndexOf('list'));
    expect(reads.filter((read) => read === 'walk')).toHaveLength(21);
  });

  it('are not judged any further for somebody who has left', async () => {
    const { reads, lines } = setUp(1_000);
    await lines.next();
    await lines.return();
    for (let n = 0; n < 10; n += 1) await turn();
    const soFar = reads.length;
    for (let n = 0; n < 50; n += 1) await turn();
    expect(reads).toHaveLength(soFar);
    expect(reads).not.toContain('list');
  });
});
