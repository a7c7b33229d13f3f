import { describe, expect, it } from '@jest/globals';
import { orderStatusEvent } from '@quicksale/shared/orders';
import { givenHold, newId } from '@quicksale/shared/testing';
import { settleLostHolds } from './settle-lost-holds.ts';

describe('holds of a ledger that was lost', () => {
  const [saleId, productId] = [newId(), newId()];
  const at = new Date('2026-01-01T00:00:10Z');
  const name = (number: number) => `${saleId}:${productId}:${number}`;
  const fastHold = (units: number[], atMs = 1_000) => {
    const { record } = givenHold({ saleId, productId, units, at: atMs });
    return { saleId, record: { ...record, fast: true as const } };
  };
  const sale = (owned: number[], free: number[]) => ({
    owners: new Map(owned.map((number) => [name(number), newId()])),
    free: new Map([[productId, free]]),
    at,
  });

  it('keep units that are of nobody else', () => {
    const hold = fastHold([1, 2]);
    const [settled] = settleLostHolds([hold], sale([3], [1, 2, 4]));
    expect(settled).toMatchObject({
      kind: 'kept',
      newUnits: 0,
      order: { units: [1, 2].map(name) },
    });
  });

  it('get the lowest others for those that were issued again', () => {
    const hold = fastHold([1, 2, 3]);
    const [settled] = settleLostHolds([hold], sale([1, 3], [2, 9, 7, 8]));
    expect(settled).toMatchObject({ kind: 'kept', newUnits: 2 });
    expect(settled?.kind === 'kept' && settled.order.units).toEqual([2, 7, 8].map(name));
  });

  it('fail when there are not enough, and their buyer is told', () => {
    const hold = fastHold([1, 2]);
    const [settled] = settleLostHolds([hold], sale([1], [2]));
    if (settled?.kind !== 'failed') throw new Error(settled?.kind);
    const { order } = settled;
    expect(order).toMatchObject({ status: 'FAILED', inventoryStatus: 'REJECTED', version: 2 });
    expect(order).not.toHaveProperty('units');
    const [, step] = order.history;
    expect(order.history.map(({ from, to }) => [from, to])).toEqual([
      [null, 'PENDING'],
      ['PENDING', 'FAILED'],
    ]);
    const event = step && orderStatusEvent(order, order, step);
    expect(order.outbox).toEqual([{ id: event?.id, type: 'order.status.v1', version: 2 }]);
    expect(order.outboxAt).toEqual(at);
  });

  it('are served oldest first, and never with a number that another hold has', () => {
    const [old, young, lucky] = [fastHold([1], 1_000), fastHold([2], 2_000), fastHold([7], 3_000)];
    const settled = settleLostHolds([lucky, young, old], sale([1, 2], [7, 8]));
    expect(settled.map(({ kind, hold }) => [kind, hold])).toEqual([
      ['kept', old],
      ['failed', young],
      ['kept', lucky],
    ]);
    const units = settled.flatMap((one) => (one.kind === 'kept' ? one.order.units : []));
    expect(units).toEqual([8, 7].map(name));
  });

  it('of which two have one unit: the older keeps it', () => {
    const [old, young] = [fastHold([1], 1_000), fastHold([1], 2_000)];
    const settled = settleLostHolds([young, old], sale([], [1, 2]));
    expect(settled.map((one) => one.kind === 'kept' && one.order.units)).toEqual([
      [name(1)],
      [name(2)],
    ]);
  });

  it('leave the units of one that fails to the next', () => {
    const [old, young] = [fastHold([1, 2, 3], 1_000), fastHold([1], 2_000)];
    const settled = settleLostHolds([old, young], sale([1], [2, 3]));
    expect(settled.map(({ kind }) => kind)).toEqual(['failed', 'kept']);
    expect(settled[1]).toMatchObject({ order: { units: [name(2)] } });
  });

  it('are dropped when nobody was told of them', () => {
    const hold = givenHold({ saleId, productId, units: [1] });
    expect(settleLostHolds([hold], sale([1], [2]))).toEqual([{ kind: 'dropped', hold }]);
    expect(settleLostHolds([hold], sale([], [1, 2]))).toMatchObject([{ kind: 'kept' }]);
  });
});
