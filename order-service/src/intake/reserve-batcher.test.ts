import { describe, expect, it } from '@jest/globals';
import type { ReserveReply, ReserveRequest } from '@quicksale/shared/stock-ledger';
import { newId } from '@quicksale/shared/testing';
import { createReserveBatcher } from './reserve-batcher.ts';

const request = (itemCount = 1): ReserveRequest => ({
  orderId: newId(),
  userId: newId(),
  kind: 'order',
  digest: newId(),
  fingerprint: '',
  facts: '',
  items: Array.from({ length: itemCount }, () => ({ productId: newId(), quantity: 1 })),
});

function setUp() {
  const calls: { saleId: string; orders: number; recorded: string[]; answer: () => void }[] = [];
  const struckOff: string[] = [];
  const turns: (() => void)[] = [];
  const timers: (() => void)[] = [];
  const batcher = createReserveBatcher({
    defer: (flush) => void turns.push(flush),
    after: (_delayMs, work) => void timers.push(work),
    ledger: {
      reserve: (saleId, requests, recorded = []) =>
        new Promise((resolve) => {
          const answer = () => resolve(requests.map((): ReserveReply => ({ status: 'closed' })));
          calls.push({ saleId, orders: requests.length, recorded: [...recorded], answer });
        }),
      strikeOff: async (_saleId, orderIds) => void struckOff.push(...orderIds),
    },
  });
  const endTurn = () => turns.splice(0).forEach((flush) => flush());
  return { batcher, calls, struckOff, endTurn };
}

describe('the reserve batcher', () => {
  it('makes one call per sale and turn', async () => {
    const { batcher, calls, endTurn } = setUp();
    const replies = [
      batcher.reserve('a', request()),
      batcher.reserve('a', request()),
      batcher.reserve('b', request()),
    ];
    endTurn();
    expect(calls.map(({ saleId, orders }) => [saleId, orders])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    calls.forEach(({ answer }) => answer());
    expect(await Promise.all(replies)).toHaveLength(3);
  });

  it('keeps two calls of a sale in flight and lets the rest gather', async () => {
    const { batcher, calls, endTurn } = setUp();
    const replies = Array.from({ length: 300 }, () => batcher.reserve('a', request()));
    endTurn();
    expect(calls.map(({ orders }) => orders)).toEqual([128, 128]);
    calls[0]?.answer();
    await replies[0];
    await Promise.resolve();
    expect(calls.map(({ orders }) => orders)).toEqual([128, 128, 44]);
  });

  it('bounds the item lines of a call', () => {
    const { batcher, calls, endTurn } = setUp();
    for (let i = 0; i < 30; i += 1) void batcher.reserve('a', request(20));
    endTurn();
    expect(calls.map(({ orders }) => orders)).toEqual([25, 5]);
  });

  it('counts the products of a hold that is named', () => {
    const { batcher, calls, endTurn } = setUp();
    const holdProductIds = Array.from({ length: 19 }, newId);
    for (let i = 0; i < 30; i += 1) void batcher.reserve('a', { ...request(), holdProductIds });
    endTurn();
    expect(calls.map(({ orders }) => orders)).toEqual([25, 5]);
  });

  it('lets the next call strike off what was recorded', () => {
    const { batcher, calls, endTurn } = setUp();
    batcher.noteRecorded('a', 'one');
    void batcher.reserve('a', request());
    endTurn();
    expect(calls[0]?.recorded).toEqual(['one']);
  });

  it('strikes off what no call took along', async () => {
    const { batcher, struckOff } = setUp();
    batcher.noteRecorded('a', 'one');
    await batcher.drain();
    expect(struckOff).toEqual(['one']);
  });
});
