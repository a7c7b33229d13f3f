import { beforeEach, describe, expect, it } from '@jest/globals';
import { unavailable } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import { orderFromHold, type Order, type OrderFacts } from '@quicksale/shared/orders';
import { createSystemRandom } from '@quicksale/shared/process';
import type { ReserveReply } from '@quicksale/shared/stock-ledger';
import { givenHold, givenOrder, newId } from '@quicksale/shared/testing';
import type { DiscountTaken } from '../pricing/pricing.ts';
import { reservePriced, type ReservePricedDeps } from './reserve-priced.ts';
import type { WantedOrder } from './reserve-order.ts';

const key = { digest: 'd'.repeat(64), fingerprint: 'f'.repeat(64) };
const productId = newId();
const base = { taxRate: 1_900, shipping: { flat: 0 } };
const discount = { code: 'HALF', kind: 'percentage', value: 5_000 } as const;
const wanted: WantedOrder = {
  ...{ kind: 'order', saleId: newId(), userId: newId(), key },
  items: [{ productId, sku: 'S', name: 'Lamp', quantity: 1 }],
  facts: { currency: 'USD', key: 'k', merchantId: newId(), pricing: base },
};

describe('an order with a discount code', () => {
  let steps: string[];
  let nowMs: number;
  let reply: (facts: string) => ReserveReply | Error;
  let taken: DiscountTaken;
  let stored: Order[];
  let isRecorded: boolean;
  let deps: ReservePricedDeps;

  beforeEach(() => {
    steps = [];
    nowMs = 1_000_000;
    stored = [];
    isRecorded = true;
    taken = {
      ...{ status: 'taken', id: key.digest, discountId: newId(), takenAtMs: nowMs },
      terms: { ...base, discount },
    };
    reply = (facts) => ({
      status: 'reserved',
      record: { ...givenHold({ productId }).record, facts },
    });
    deps = {
      clock: { now: () => nowMs },
      random: createSystemRandom(),
      ledger: {
        reserve: async (_saleId, { facts }) => {
          steps.push('reserve');
          const answer = reply(facts);
          if (Error.isError(answer)) throw answer;
          return answer;
        },
      },
      numbers: { take: async () => 'ORD-2026-1', giveBack: () => undefined },
      orders: { findRelated: async () => stored },
      recorder: {
        record: async (hold) =>
          isRecorded
            ? { kind: 'recorded', order: orderFromHold(hold.record, hold.saleId), isNew: true }
            : { kind: 'not-recorded' },
      },
      early: { recordLater: () => false },
      pricing: {
        takeDiscount: async () => {
          steps.push('take');
          return taken;
        },
        giveBack: async () => void steps.push('give back'),
      },
      log: createLogger({ service: 'test', level: 'silent' }),
    };
  });

  const place = (code: string | undefined = 'half') => reservePriced(deps, wanted, code);

  it('takes a use, then reserves under its terms', async () => {
    const result = await place();
    expect(result).toMatchObject({
      status: 'created',
      order: { pricing: { ...base, discount }, discount: 2500, taxAmount: 475 },
    });
    expect(steps).toEqual(['take', 'reserve']);
  });

  it('asks for no use without a code', async () => {
    const result = await reservePriced(deps, wanted, undefined);
    expect(result).toMatchObject({ status: 'created', order: { pricing: base, discount: 0 } });
    expect(steps).toEqual(['reserve']);
  });

  it.each<ReserveReply>([
    { status: 'sold_out', products: [] },
    { status: 'limit', limit: 1, owned: 1 },
    { status: 'hold_gone' },
    { status: 'not_open', opensAtMs: 1 },
    { status: 'closed' },
    { status: 'paused' },
    { status: 'unknown_product', productId },
    { status: 'key_reused' },
  ])('gives the use back when nothing was taken: $status', async (refusal) => {
    reply = () => refusal;
    expect((await place()).status).toBe(refusal.status);
    expect(steps).toEqual(['take', 'reserve', 'give back']);
  });

  it.each<ReserveReply>([
    { status: 'fenced' },
    { status: 'not_admitted' },
    { status: 'unknown_sale' },
  ])('keeps it when it is not known what was: $status', async (refusal) => {
    reply = () => refusal;
    expect((await place()).status).toBe(refusal.status);
    expect(steps).toEqual(['take', 'reserve']);
  });

  it('keeps it when the ledger does not answer, or MongoDB does not', async () => {
    reply = () => unavailable('away');
    await expect(place()).rejects.toMatchObject({ code: 'dependency-unavailable' });
    reply = (facts) => ({
      status: 'reserved',
      record: { ...givenHold({ productId }).record, facts },
    });
    isRecorded = false;
    expect((await place()).status).toBe('not_recorded');
    expect(steps).toEqual(['take', 'reserve', 'take', 'reserve']);
  });

  it('is refused as the ledger said when the use cannot be given back', async () => {
    reply = () => ({ status: 'sold_out', products: [] });
    deps.pricing.giveBack = () => Promise.reject(unavailable('away'));
    expect((await place()).status).toBe('sold_out');
  });

  it.each<DiscountTaken>([
    { status: 'unknown_discount' },
    { status: 'discount_used_up', scope: 'user' },
    { status: 'key_reused' },
  ])('reserves nothing without a use: $status', async (refusal) => {
    taken = refusal;
    expect(await place()).toEqual(refusal);
    expect(steps).toEqual(['take']);
  });

  it('reserves nothing with a use that the sweep may take for an old one', async () => {
    deps.pricing.takeDiscount = async () => {
      // The process was stopped.
      nowMs += 30_001;
      return taken;
    };
    expect(await place()).toEqual({ status: 'not_recorded' });
    expect(steps).toEqual([]);
  });

  it('takes nothing when the key names an order, whatever that has become', async () => {
    stored = [{ ...givenOrder(), requestFingerprint: key.fingerprint, status: 'CANCELLED' }];
    expect(await place()).toEqual({ status: 'created', order: stored[0], replayed: true });
    stored = [{ ...givenOrder(), requestFingerprint: 'g' }];
    expect(await place()).toEqual({ status: 'key_reused' });
    expect(steps).toEqual([]);
  });

  it('is answered as it was first when the terms have changed since', async () => {
    const first: OrderFacts = {
      ...{ orderNumber: 'ORD-2026-0', saleId: wanted.saleId, currency: 'USD', key: 'k', ...key },
      items: [{ productId, sku: 'S', name: 'Lamp', quantity: 1 }],
      pricing: { taxRate: 0, shipping: { flat: 0 }, discount: { ...discount, value: 1_000 } },
    };
    const { record } = givenHold({ productId });
    reply = () => ({
      ...{ status: 'replayed', orderId: record.orderId, recorded: true },
      record: { ...record, facts: JSON.stringify(first) },
    });
    expect(await place()).toMatchObject({
      ...{ status: 'created', replayed: true, order: { totalAmount: 4499 } },
    });
    expect(steps).toEqual(['take', 'reserve']);
  });
});
