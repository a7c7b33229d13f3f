import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually, newId } from '@quicksale/shared/testing';
import { startOrders, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(60_000);

const minute = 60_000;
const holdMs = 1_500;
const RealDate = Date;
let skewMs = 0;

/** The clock of this process, which is wrong by `skewMs`. */
class SkewedDate extends RealDate {
  constructor(...given: unknown[]) {
    super(...((given.length > 0 ? given : [SkewedDate.now()]) as [number]));
  }
  static override now(): number {
    return RealDate.now() + skewMs;
  }
}

describe('fault 16: the clock of order-service is wrong', () => {
  let fixture: OrderFixture;
  beforeAll(async () => {
    globalThis.Date = SkewedDate as DateConstructor;
    fixture = await startOrders();
  }, 60_000);
  afterAll(async () => {
    globalThis.Date = RealDate;
    await fixture?.stop();
  });

  async function ledgerTime(): Promise<number> {
    const [seconds, micros] = await fixture.redis.client.time();
    return Number(seconds) * 1_000 + Number(micros) / 1_000;
  }

  it.each([
    ['5 minutes ahead', 5 * minute, 5 * minute],
    ['5 minutes behind', -5 * minute, -5 * minute],
    ['set back by 10 minutes meanwhile', 5 * minute, -5 * minute],
  ])('%s: window and deadlines are those of the ledger', async (_, atFirst, later) => {
    skewMs = atFirst;
    const now = Math.floor(await ledgerTime());
    const [opensAtMs, closesAtMs] = [now + 1_000, now + 3_500];
    const { productId, saleId } = await fixture.givenProduct(9, { opensAtMs, closesAtMs, holdMs });
    const buy = async () => {
      const { status, body } = await fixture.place({ userId: newId(), key: 'k', productId });
      return status === 201 ? 'accepted' : String(body.code);
    };
    const untilLedger = async (time: number) => sleep(Math.max(0, time - (await ledgerTime())));
    expect(await buy()).toBe('sale-not-open');
    await untilLedger(opensAtMs + 20);
    skewMs = later;
    expect(await buy()).toBe('accepted');
    const snapshot = await fixture.ledger.snapshot(saleId);
    if (typeof snapshot === 'string') throw new Error(snapshot);
    const [record] = snapshot.records;
    if (!record) throw new Error('no record');
    expect(record.at).toBeGreaterThanOrEqual(opensAtMs);
    expect(record.expiresAt).toBe(record.at + holdMs);
    const statuses = async () => (await fixture.orders(saleId)).map(({ status }) => String(status));
    await untilLedger(record.at + holdMs - 300);
    // Asked before the deadline, by the ledger's clock, or the answer says nothing.
    const early = await statuses();
    if ((await ledgerTime()) < record.at + holdMs) expect(early).not.toContain('EXPIRED');
    await eventually(async () => {
      expect(await statuses()).toEqual(['EXPIRED']);
      const after = await fixture.ledger.snapshot(saleId);
      expect(after).toMatchObject({ records: [], products: { [productId]: { available: 9 } } });
    }, 10_000);
    expect(await ledgerTime()).toBeGreaterThanOrEqual(record.at + holdMs);
    await untilLedger(closesAtMs + 20);
    expect(await buy()).toBe('sale-closed');
  });
});
