import { describe, expect, it } from '@jest/globals';
import { inventoryStatuses, paymentStatuses, statuses } from '../contracts/index.ts';
import { applyFact, asCreated } from './apply-fact.ts';
import type { Fact, InventoryFact } from './facts.ts';
import type { DecidableOrder } from './order-step.ts';
import { cancelledUnits, mayBecome, type HistoryEntry } from './order.ts';

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
          inventoryStatus: 'RESERVED',
          paymentStatus: 'NONE',
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

  it.each(['releasing', 'shipping'] as const)('leaves %s units to the outbox scan', (marks) => {
    const order = { ...asCreated('o', 'NONE', 'o:1'), [marks]: ['s:p:3'] };
    expect(applyFact(order, fact)).toMatchObject({
      change: { removeOutbox: ['o:1'], settlesOutbox: false },
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

const [productA, productB] = ['a', 'b'];

describe('cancelling some units', () => {
  const units = ['s:a:2', 's:a:10', 's:a:9', 's:b:1'];
  const order: DecidableOrder = {
    ...asCreated('o', 'PAID', 'o:1'),
    status: 'CONFIRMED',
    inventoryStatus: 'RESERVED',
    units,
    version: 3,
  };
  const some = (...wanted: [productId: string, quantity: number][]) => ({
    type: 'cancel' as const,
    by: 'buyer',
    cause: 'cancel:k',
    fingerprint: 'f',
    units: wanted.map(([productId, quantity]) => ({ productId, quantity })),
    at: new Date(0),
  });

  it('lets the highest numbers go, and the order goes on', () => {
    expect(applyFact(order, some([productA, 2], [productB, 1]))).toEqual({
      kind: 'changed',
      change: {
        fromVersion: 3,
        state: {
          status: 'CONFIRMED',
          inventoryStatus: 'RESERVED',
          paymentStatus: 'PARTIALLY_REFUNDED',
        },
        historyEntry: {
          version: 4,
          from: 'CONFIRMED',
          to: 'CONFIRMED',
          inventoryStatus: 'RESERVED',
          paymentStatus: 'PARTIALLY_REFUNDED',
          at: new Date(0),
          by: 'buyer',
          cause: 'cancel:k',
          fingerprint: 'f',
          cancelled: [
            { productId: 'a', quantity: 2 },
            { productId: 'b', quantity: 1 },
          ],
          released: ['s:a:10', 's:a:9', 's:b:1'],
        },
        removeOutbox: [],
        addOutbox: { id: 'o:4', type: 'order.status.v1', version: 4 },
        release: ['s:a:10', 's:a:9', 's:b:1'],
        keepsUnits: true,
        repay: true,
        settlesOutbox: false,
      },
    });
  });

  it('gives money back only where some was paid', () => {
    for (const paymentStatus of paymentStatuses)
      expect(applyFact({ ...order, paymentStatus }, some([productA, 1]))).toMatchObject({
        change: {
          state: {
            paymentStatus: paymentStatus === 'PAID' ? 'PARTIALLY_REFUNDED' : paymentStatus,
          },
        },
      });
  });

  it('is a whole cancel when all that is left is named', () => {
    const outcome = applyFact(order, some([productB, 1], [productA, 3]));
    expect(outcome).toMatchObject({
      change: {
        state: { status: 'CANCELLED', inventoryStatus: 'RELEASED', paymentStatus: 'PAID' },
        historyEntry: { to: 'CANCELLED', cause: 'cancel:k' },
      },
    });
    if (outcome.kind !== 'changed') throw new Error(outcome.kind);
    expect([...(outcome.change.release ?? [])].sort()).toEqual([...units].sort());
    expect(outcome.change).not.toHaveProperty('keepsUnits');
  });

  it('is impossible for units that the order has not', () => {
    for (const wanted of [some([productA, 4]), some([productB, 2]), some([productA, 1], ['c', 1])])
      expect(applyFact(order, wanted)).toEqual({ kind: 'impossible' });
  });

  it('counts once per request, and no more once all is cancelled', () => {
    const entry = { version: 4, from: null, to: 'CONFIRMED', at: new Date(0), by: '' } as const;
    const history = [{ ...entry, cause: 'cancel:k' }];
    expect(applyFact({ ...order, history }, some([productA, 1]))).toEqual({ kind: 'already' });
    const { units: _, ...gone } = order;
    expect(applyFact({ ...gone, status: 'CANCELLED' }, some([productA, 1]))).toEqual({
      kind: 'already',
    });
  });

  it('adds up over the steps of an order', () => {
    const step = (cancelled: HistoryEntry['cancelled']): HistoryEntry => ({
      version: 2,
      from: 'CONFIRMED',
      to: 'CONFIRMED',
      at: new Date(0),
      by: '',
      ...(cancelled && { cancelled }),
    });
    const item = { sku: '', name: '', unitPrice: 1 };
    const of = (status: 'CONFIRMED' | 'CANCELLED' | 'EXPIRED') => ({
      status,
      items: [
        { productId: 'a', quantity: 3, ...item },
        { productId: 'b', quantity: 1, ...item },
      ],
      history: [
        step(undefined),
        step([{ productId: 'a', quantity: 1 }]),
        step([{ productId: 'a', quantity: 1 }]),
      ],
    });
    for (const status of ['CONFIRMED', 'EXPIRED'] as const)
      expect([...cancelledUnits(of(status))]).toEqual([['a', 2]]);
    expect([...cancelledUnits(of('CANCELLED'))]).toEqual([
      ['a', 3],
      ['b', 1],
    ]);
  });
});

/** A fact against an order in every combination of statuses. */
function everyState(fact: Fact, expiresAt: Date | null = new Date(0)) {
  return statuses.flatMap((status) =>
    inventoryStatuses.flatMap((inventoryStatus) =>
      paymentStatuses.map((paymentStatus) => {
        const order: DecidableOrder = {
          ...asCreated('o', paymentStatus, 'o:1'),
          status,
          inventoryStatus,
          units: ['s:a:1', 's:a:2'],
          expiresAt,
        };
        return { order, status, inventoryStatus, paymentStatus, outcome: applyFact(order, fact) };
      }),
    ),
  );
}

const unpaid = ['NONE', 'PENDING', 'FAILED'];

describe('a deadline that has passed', () => {
  const expire = { type: 'expire', at: new Date(5) } as const;

  it('ends an order that waits for money, and no other', () => {
    for (const { outcome, status, inventoryStatus, paymentStatus } of everyState(expire)) {
      const waits = ['PENDING', 'AWAITING_PAYMENT'].includes(status);
      const kind =
        status === 'EXPIRED'
          ? 'already'
          : waits && unpaid.includes(paymentStatus)
            ? 'changed'
            : 'impossible';
      expect([status, inventoryStatus, paymentStatus, outcome.kind]).toEqual([
        status,
        inventoryStatus,
        paymentStatus,
        kind,
      ]);
      if (outcome.kind === 'changed')
        expect(outcome.change).toEqual({
          fromVersion: 1,
          state: { status: 'EXPIRED', inventoryStatus: 'RELEASED', paymentStatus },
          historyEntry: {
            version: 2,
            from: status,
            to: 'EXPIRED',
            inventoryStatus: 'RELEASED',
            paymentStatus,
            at: new Date(5),
            by: 'order-service',
            reason: 'not paid in time',
            released: ['s:a:1', 's:a:2'],
          },
          removeOutbox: [],
          addOutbox: { id: 'o:2', type: 'order.status.v1', version: 2 },
          release: ['s:a:1', 's:a:2'],
          settlesOutbox: false,
        });
    }
  });

  it('is nothing to an order that has none', () => {
    for (const { outcome, status } of everyState(expire, null))
      expect(outcome.kind).toBe(status === 'EXPIRED' ? 'already' : 'impossible');
  });
});

describe('a payment', () => {
  const pay = { type: 'pay', cause: 'payment 1', by: 'buyer', at: new Date(5) } as const;

  it('confirms an order that waits for money, and no other', () => {
    for (const { outcome, status, inventoryStatus, paymentStatus } of everyState(pay)) {
      const waits = ['PENDING', 'AWAITING_PAYMENT'].includes(status);
      const open = waits && ['PENDING', 'FAILED'].includes(paymentStatus);
      expect([status, inventoryStatus, paymentStatus, outcome.kind]).toEqual([
        status,
        inventoryStatus,
        paymentStatus,
        open ? 'changed' : 'impossible',
      ]);
      if (outcome.kind === 'changed')
        expect(outcome.change).toMatchObject({
          state: { status: 'CONFIRMED', inventoryStatus, paymentStatus: 'PAID' },
          historyEntry: { from: status, to: 'CONFIRMED', cause: 'payment 1', by: 'buyer' },
          addOutbox: { id: 'o:2' },
        });
    }
  });

  it('counts once, and keeps its units', () => {
    const entry = { version: 2, from: null, to: 'CONFIRMED', at: new Date(0), by: '' } as const;
    const paid = { ...asCreated('o', 'PAID', 'o:1'), status: 'CONFIRMED' as const };
    expect(applyFact({ ...paid, history: [{ ...entry, cause: 'payment 1' }] }, pay)).toEqual({
      kind: 'already',
    });
    expect(applyFact(paid, { ...pay, cause: 'payment 2' })).toEqual({ kind: 'impossible' });
    const outcome = applyFact(asCreated('o', 'PENDING', 'o:1'), pay);
    if (outcome.kind !== 'changed') throw new Error(outcome.kind);
    expect(outcome.change).not.toHaveProperty('release');
  });
});

describe('a refusal of money', () => {
  const decline = {
    type: 'decline',
    cause: 'a1',
    by: 'buyer',
    reason: 'no',
    at: new Date(5),
  } as const;

  it('is noted where money is waited for, and the buyer may try again', () => {
    for (const { order, outcome, status, paymentStatus } of everyState(decline)) {
      const waits = ['PENDING', 'AWAITING_PAYMENT'].includes(status);
      const open = waits && ['PENDING', 'FAILED'].includes(paymentStatus);
      expect([status, paymentStatus, outcome.kind]).toEqual([
        status,
        paymentStatus,
        open ? 'changed' : 'impossible',
      ]);
      if (outcome.kind !== 'changed') continue;
      const { state, release } = outcome.change;
      expect([state.status, state.paymentStatus, release]).toEqual([status, 'FAILED', undefined]);
      const pay: Fact = { type: 'pay', cause: 'p', by: 'buyer', at: new Date(6) };
      expect(applyFact({ ...order, ...state }, pay).kind).toBe('changed');
    }
  });
});

describe('a refund of everything', () => {
  const refund = {
    type: 'refund',
    cause: 'r1',
    by: 'm',
    reason: 'broken',
    at: new Date(5),
  } as const;
  const mayEnd = ['CONFIRMED', 'PROCESSING', 'SHIPPED', 'DELIVERED'];

  it('ends a paid order; its units come back only if they were not shipped', () => {
    for (const { outcome, status, inventoryStatus, paymentStatus } of everyState(refund)) {
      const isPossible =
        mayEnd.includes(status) && ['PAID', 'PARTIALLY_REFUNDED'].includes(paymentStatus);
      expect([status, paymentStatus, outcome.kind]).toEqual([
        status,
        paymentStatus,
        isPossible ? 'changed' : 'impossible',
      ]);
      if (outcome.kind !== 'changed') continue;
      const isSold = inventoryStatus === 'SOLD';
      expect(outcome.change).toMatchObject({
        state: { status: 'REFUNDED', inventoryStatus: isSold ? 'SOLD' : 'RELEASED', paymentStatus },
        historyEntry: { from: status, to: 'REFUNDED', by: 'm', reason: 'broken', cause: 'r1' },
        repay: true,
      });
      expect(outcome.change.release).toEqual(isSold ? undefined : ['s:a:1', 's:a:2']);
    }
  });
});

describe('money that went back', () => {
  const repaid = {
    type: 'repaid',
    cause: 'r1',
    by: 'payments',
    isAll: true,
    at: new Date(5),
  } as const;

  it('is noted whatever has become of the order, and changes nothing else of it', () => {
    for (const { outcome, status, inventoryStatus, paymentStatus } of everyState(repaid)) {
      const isPossible = !['NONE', 'REFUNDED'].includes(paymentStatus);
      expect([paymentStatus, outcome.kind]).toEqual([
        paymentStatus,
        isPossible ? 'changed' : 'impossible',
      ]);
      if (outcome.kind !== 'changed') continue;
      const { state, release, repay } = outcome.change;
      expect(state).toEqual({ status, inventoryStatus, paymentStatus: 'REFUNDED' });
      expect([release, repay]).toEqual([undefined, undefined]);
    }
  });

  it('is a part of it as long as some is left', () => {
    const paid = { ...asCreated('o', 'PAID', 'o:1'), status: 'SHIPPED' as const };
    expect(applyFact(paid, { ...repaid, isAll: false })).toMatchObject({
      change: {
        state: { status: 'SHIPPED', paymentStatus: 'PARTIALLY_REFUNDED' },
        historyEntry: { money: 'repaid' },
      },
    });
  });
});

describe('a cancel of what was paid', () => {
  it('has the money looked at, in the same step', () => {
    for (const units of [undefined, [{ productId: 'a', quantity: 1 }]])
      for (const { outcome, paymentStatus } of everyState({
        ...{ type: 'cancel', by: '', at: new Date(0) },
        ...(units && { units }),
      })) {
        if (outcome.kind !== 'changed') continue;
        const isPaid = ['PAID', 'PARTIALLY_REFUNDED'].includes(paymentStatus);
        expect([paymentStatus, outcome.change.repay]).toEqual([
          paymentStatus,
          isPaid ? true : undefined,
        ]);
      }
  });
});

describe('fulfilment', () => {
  const from = { PROCESSING: 'CONFIRMED', SHIPPED: 'PROCESSING', DELIVERED: 'SHIPPED' } as const;

  it.each(['PROCESSING', 'SHIPPED', 'DELIVERED'] as const)(
    'to %s comes from one status only, and ships once',
    (to) => {
      const fact: Fact = { type: 'fulfil', to, by: 'm', trackingNumber: 'T1', at: new Date(5) };
      for (const { outcome, status, inventoryStatus, paymentStatus } of everyState(fact)) {
        const needed = to === 'DELIVERED' ? 'SOLD' : 'RESERVED';
        const isPossible = status === from[to] && inventoryStatus === needed;
        expect([status, inventoryStatus, outcome.kind]).toEqual([
          status,
          inventoryStatus,
          status === to ? 'already' : isPossible ? 'changed' : 'impossible',
        ]);
        if (outcome.kind !== 'changed') continue;
        const { state, ship, release, trackingNumber } = outcome.change;
        const isShipment = to === 'SHIPPED';
        expect(state).toEqual({
          status: to,
          inventoryStatus: isShipment ? 'SOLD' : inventoryStatus,
          paymentStatus,
        });
        expect([ship, release, trackingNumber]).toEqual([
          isShipment ? ['s:a:1', 's:a:2'] : undefined,
          undefined,
          'T1',
        ]);
      }
    },
  );
});

describe('every fact', () => {
  const facts: Fact[] = [
    fact,
    { ...fact, paymentRequired: true },
    { type: 'cancel', by: '', at: new Date(0) },
    { type: 'cancel', by: '', at: new Date(0), units: [{ productId: 'a', quantity: 1 }] },
    { type: 'pay', cause: 'p', by: '', at: new Date(0) },
    { type: 'expire', at: new Date(0) },
    { type: 'decline', cause: 'd', by: '', at: new Date(0) },
    { type: 'refund', cause: 'r', by: '', reason: '', at: new Date(0) },
    { type: 'repaid', cause: 'r', by: '', isAll: true, at: new Date(0) },
    { type: 'repaid', cause: 'r', by: '', isAll: false, at: new Date(0) },
    { type: 'fulfil', to: 'PROCESSING', by: '', at: new Date(0) },
    { type: 'fulfil', to: 'SHIPPED', by: '', at: new Date(0) },
    { type: 'fulfil', to: 'DELIVERED', by: '', at: new Date(0) },
  ];

  /** PENDING -> FAILED is made when an order is recorded, not by a fact. */
  it('leads along every edge of the graph but one, and along no other', () => {
    const walked = new Set<string>();
    for (const one of facts)
      for (const { order, outcome } of everyState(one))
        if (outcome.kind === 'changed' && outcome.change.state.status !== order.status)
          walked.add(`${order.status} -> ${outcome.change.state.status}`);
    const edges = statuses.flatMap((from) =>
      statuses.filter((to) => mayBecome(from, to)).map((to) => `${from} -> ${to}`),
    );
    expect([...walked].sort()).toEqual(edges.filter((e) => e !== 'PENDING -> FAILED').sort());
  });

  it.each(facts)('keeps to the graph, one version further: $type', (one) => {
    for (const { order, outcome } of everyState(one)) {
      if (outcome.kind !== 'changed') continue;
      const { state, historyEntry, fromVersion } = outcome.change;
      expect(state.status === order.status || mayBecome(order.status, state.status)).toBe(true);
      expect([fromVersion, historyEntry.version]).toEqual([order.version, order.version + 1]);
      expect([historyEntry.from, historyEntry.to]).toEqual([order.status, state.status]);
    }
  });
});

describe('the status graph', () => {
  it('leaves terminal statuses to nobody', () => {
    for (const from of ['FAILED', 'CANCELLED', 'EXPIRED', 'REFUNDED'] as const)
      for (const to of statuses) expect(mayBecome(from, to)).toBe(false);
  });
});
