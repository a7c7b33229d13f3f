import { describe, expect, it } from '@jest/globals';
import { inventoryStatuses, paymentStatuses, statuses } from '../contracts/index.ts';
import { applyFact, asCreated, type InventoryFact } from './apply-fact.ts';
import { mayBecome } from './order.ts';

const fact: InventoryFact = {
  type: 'inventory-result',
  cause: 'o:result',
  outboxId: 'o:1',
  outcome: 'RESERVED',
  paymentRequired: false,
  at: new Date(0),
};

describe('an inventory result', () => {
  it('confirms a fresh order and proves that its event got out', () => {
    const outcome = applyFact(asCreated('o', 'NONE', 'o:1'), fact);
    expect(outcome).toEqual({
      kind: 'changed',
      change: {
        fromVersion: 1,
        state: { status: 'CONFIRMED', inventoryStatus: 'RESERVED', paymentStatus: 'NONE' },
        historyEntry: {
          version: 2,
          from: 'PENDING',
          to: 'CONFIRMED',
          at: new Date(0),
          by: 'inventory-service',
          cause: 'o:result',
        },
        removeOutbox: ['o:1'],
        settlesOutbox: true,
      },
    });
  });

  it('asks for payment where the sale has a payment step', () => {
    const outcome = applyFact(asCreated('o', 'PENDING', 'o:1'), { ...fact, paymentRequired: true });
    expect(outcome).toMatchObject({ change: { state: { status: 'AWAITING_PAYMENT' } } });
  });

  it('sets the inventory status only, when the order was paid before', () => {
    const paid = { ...asCreated('o', 'PAID', 'o:1'), status: 'CONFIRMED' as const, version: 2 };
    expect(applyFact(paid, fact)).toMatchObject({
      change: {
        state: { status: 'CONFIRMED', inventoryStatus: 'RESERVED', paymentStatus: 'PAID' },
        historyEntry: { from: 'CONFIRMED', to: 'CONFIRMED', version: 3 },
      },
    });
  });

  it('counts once', () => {
    const done = asCreated('o', 'NONE', 'o:1');
    const history = [
      {
        version: 2,
        from: null,
        to: 'CONFIRMED' as const,
        at: new Date(0),
        by: '',
        cause: 'o:result',
      },
    ];
    expect(applyFact({ ...done, history }, fact)).toEqual({ kind: 'already' });
  });

  it('is void for every state in which nothing is pending', () => {
    for (const status of statuses)
      for (const inventoryStatus of inventoryStatuses)
        for (const paymentStatus of paymentStatuses) {
          const order = { ...asCreated('o', paymentStatus, 'o:1'), status, inventoryStatus };
          const { kind } = applyFact(order, fact);
          const open = inventoryStatus === 'PENDING' && [
            'PENDING',
            'CONFIRMED',
            'AWAITING_PAYMENT',
          ];
          expect([status, inventoryStatus, kind]).toEqual([
            status,
            inventoryStatus,
            open && open.includes(status) ? 'changed' : 'impossible',
          ]);
        }
  });

  it('never rejects an order that still owns its units', () => {
    const rejected = { ...fact, outcome: 'REJECTED' as const };
    expect(applyFact(asCreated('o', 'NONE', 'o:1'), rejected)).toEqual({ kind: 'impossible' });
  });
});

describe('cancelling', () => {
  const cancel = {
    type: 'cancel' as const,
    by: 'buyer',
    reason: 'changed my mind',
    at: new Date(0),
  };
  const units = ['s:p:1', 's:p:2'];

  it.each(['PENDING', 'AWAITING_PAYMENT', 'CONFIRMED', 'PROCESSING'] as const)(
    'gives the units of a %s order up and announces it',
    (status) => {
      const order = { ...asCreated('o', 'NONE', 'o:1'), status, units, version: 2 };
      expect(applyFact(order, cancel)).toMatchObject({
        kind: 'changed',
        change: {
          fromVersion: 2,
          state: { status: 'CANCELLED', inventoryStatus: 'RELEASED', paymentStatus: 'NONE' },
          historyEntry: { version: 3, from: status, to: 'CANCELLED', reason: 'changed my mind' },
          addOutbox: { id: 'o:3', type: 'order.status.v1', version: 3 },
          release: units,
          settlesOutbox: false,
        },
      });
    },
  );

  it.each(['SHIPPED', 'DELIVERED', 'FAILED', 'EXPIRED', 'REFUNDED'] as const)(
    'comes too late for a %s order',
    (status) => {
      const order = { ...asCreated('o', 'NONE', 'o:1'), status };
      expect(applyFact(order, cancel)).toEqual({ kind: 'impossible' });
    },
  );

  it('counts once', () => {
    const order = { ...asCreated('o', 'NONE', 'o:1'), status: 'CANCELLED' as const };
    expect(applyFact(order, cancel)).toEqual({ kind: 'already' });
  });
});

describe('the status graph', () => {
  it('leaves terminal statuses to nobody', () => {
    for (const from of ['FAILED', 'CANCELLED', 'EXPIRED', 'REFUNDED'] as const)
      for (const to of statuses) expect(mayBecome(from, to)).toBe(false);
  });
});
