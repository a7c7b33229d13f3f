import { describe, expect, it } from '@jest/globals';
import type { Operation } from '../history.ts';
import { check } from './check.ts';
import { accepted, given, givenEvidence } from './given-evidence.ts';

type Given = ReturnType<typeof givenEvidence>;

/** Fails the test when there is none. */
function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the evidence lacks it');
  return value;
}
const orderOf = ({ state }: Given, id: string) => must(state.orders.find((one) => one.id === id));
const saleOf = ({ state }: Given, id = given.sale) => must(state.ledger.sales[id]);
const lineOf = (evidence: Given) => must(saleOf(evidence).products[given.product]);

/** An operation on order o1 by its owner. */
const operation = (more: Partial<Operation>): Given['history'][number] =>
  ({
    ...{ id: 100, type: 'read', userId: 'user-o1', orderId: 'o1', outcome: 'ok', status: 200 },
    ...{ invokedAt: 2_000, endedAt: 2_100, invokedWall: Date.parse('2026-11-22T10:00:02.000Z') },
    ...more,
  }) as Given['history'][number];

const soldOut: Partial<Operation> = {
  ...{ type: 'place', key: 'key-o1', outcome: 'fail', status: 409, code: 'sold-out' },
  items: [{ productId: given.product, quantity: 1 }],
};

const breaks: [invariant: string, what: string, breakIt: (evidence: Given) => void][] = [
  ['I1', 'a counter is wrong', (e) => (lineOf(e).available += 1)],
  ['I1', 'a movement did not get there', (e) => (must(e.state.movements[1]).lastUnit = 7)],
  ['I1', 'a hold is lost', (e) => saleOf(e).records.pop()],
  ['I1', 'a hold is left', (e) => (orderOf(e, 'o1').units = [])],
  ['I1', 'a unit is nowhere', (e) => lineOf(e).free.pop()],
  ['I1', 'a unit is free and held', (e) => lineOf(e).free.push(1)],
  ['I1', 'a sale stays closed', (e) => (saleOf(e).settings.fenced = '1')],
  ['I1', 'a sale had to be mended', (e) => (saleOf(e).settings.epoch = '2')],
  ['I1', 'a sale is unknown', (e) => delete e.state.ledger.sales[given.sale]],
  ['I1', 'a mark is left', (e) => (orderOf(e, 'o2').releasing = ['sale:product:2'])],
  ['I1', 'a hold counts as unrecorded', (e) => e.state.ledger.unrecorded.push('sale/o1')],
  ['I2', 'less than nothing is left', (e) => (lineOf(e).available = -1)],
  ['I2', 'two orders have a unit', (e) => (orderOf(e, 'o3').units = orderOf(e, 'o1').units)],
  ['I2', 'a unit never came in', (e) => (orderOf(e, 'o3').units = ['sale:product:7'])],
  [
    'I3',
    'a key has two orders',
    (e) => {
      const { userId, idempotencyKey } = orderOf(e, 'o1');
      Object.assign(orderOf(e, 'o2'), { userId, idempotencyKey });
    },
  ],
  [
    'I3',
    'a key has two answers',
    (e) => e.history.push({ ...must(e.history[0]), id: 9, bytes: 'others' }),
  ],
  [
    'I3',
    'a key is good for two wishes',
    (e) => e.history.push({ ...must(e.history[0]), id: 9, items: [] }),
  ],
  ['I4', 'an accepted order is gone', (e) => e.state.orders.splice(0, 1)],
  ['I4', 'it is somebody else’s', (e) => (orderOf(e, 'o1').userId = 'another')],
  ['I4', 'it costs more', (e) => (orderOf(e, 'o1').totalAmount += 1)],
  ['I4', 'it has other items', (e) => (must(orderOf(e, 'o1').items[0]).quantity = 2)],
  ['I4', 'it has failed', (e) => (orderOf(e, 'o1').status = 'FAILED')],
  ['I5', 'nobody asked for it', (e) => e.history.splice(0, 1)],
  ['I6', 'something is left undone', (e) => e.openWork.push('1 orders with an outbox')],
  ['I6', 'an order stays PENDING', (e) => (orderOf(e, 'o1').status = 'PENDING')],
  ['I6', 'nobody lets it expire', (e) => (orderOf(e, 'o4').status = 'AWAITING_PAYMENT')],
  ['I7', 'a step is no edge', (e) => (must(orderOf(e, 'o3').history[2]).to = 'DELIVERED')],
  ['I7', 'a version is missing', (e) => orderOf(e, 'o3').history.splice(2, 1)],
  ['I7', 'a cause works twice', (e) => (must(orderOf(e, 'o2').history[1]).cause = 'cancel')],
  ['I7', 'no event tells of a step', (e) => e.state.statusEvents.splice(0, 1)],
  [
    'I7',
    'an event comes again with something else in it',
    (e) => {
      const event = must(e.state.statusEvents[0]);
      e.state.statusEvents.push({ ...event, data: { ...event.data, paymentStatus: 'PAID' } });
    },
  ],
  [
    'I7',
    'what was read is unread',
    (e) =>
      e.history.push(
        operation({ told: { version: 2 } }),
        operation({ id: 101, invokedAt: 3_000, endedAt: 3_100, told: { version: 1 } }),
      ),
  ],
  ['I8', 'a step is not notified', (e) => e.state.notifications.pop()],
  [
    'I8',
    'a notification says another status',
    (e) => (must(e.state.notifications[0]).data.status = 'X'),
  ],
  ['I9', 'somebody has too much', (e) => e.limits.set(given.sale, 0.5)],
  ['I9', 'somebody is counted wrong', (e) => (saleOf(e).buyers['user-o1'] = 0)],
  ['I10', 'a hold outlives its deadline', (e) => (must(saleOf(e).records[0]).expiresAt = 1)],
  ['I11', 'money is kept for nothing', (e) => (orderOf(e, 'o4').status = 'EXPIRED')],
  ['I11', 'money is missing', (e) => e.state.simulatedPayments.pop()],
  [
    'I11',
    'somebody paid twice',
    (e) => {
      const charge = must(e.state.simulatedPayments[0]);
      charge.attempts.push(must(charge.attempts[0]));
    },
  ],
  [
    'I11',
    'a cancelled order goes on',
    (e) => e.history.push(operation({ type: 'cancel', told: {} })),
  ],
  ['I12', 'all is sold to whoever has it', (e) => e.history.push(operation(soldOut))],
  [
    'I13',
    'a sale sells before it opens',
    (e) => (must(e.state.sales[0]).opensAt = '2026-11-22T11:00:00.000Z'),
  ],
  [
    'I13',
    'a shop at rest does not sell what it has',
    (e) => {
      const probe = { isProbe: true, productId: given.product } as const;
      const read = operation({ type: 'read-product', ...probe, told: { available: 1 } });
      e.history.push(read, operation({ ...soldOut, ...probe, userId: 'new' }));
    },
  ],
  [
    'I15',
    'an answer names another user',
    (e) => e.history.push(operation({ foreign: ['another'] })),
  ],
  [
    'I15',
    'a notification goes to another',
    (e) => (must(e.state.notifications[0]).userId = 'another'),
  ],
  ['defect', 'a 500', (e) => e.history.push(operation({ outcome: 'unknown', status: 500 }))],
];

describe('the checker', () => {
  it('finds nothing where everything is right', () => {
    expect(check(givenEvidence())).toEqual({ violations: [], excused: new Map() });
  });

  it.each(breaks)('%s: %s', (invariant, _what, breakIt) => {
    const evidence = givenEvidence();
    breakIt(evidence);
    const named = new Set(check(evidence).violations.map((one) => one.invariant));
    expect([...named]).toContain(invariant);
  });
});

describe('a lost ledger', () => {
  const loss = { since: 0, at: 1_000, until: 1_200 };
  const excusesOf = (evidence: Given) => {
    const { violations, excused } = check(evidence);
    expect(violations).toEqual([]);
    return Object.fromEntries(excused);
  };

  it('may let somebody pass the limit whose order was in flight, and nobody else', () => {
    const evidence = givenEvidence();
    evidence.limits.set(given.sale, 0.5);
    evidence.losses.push(loss);
    expect(excusesOf(evidence)).toEqual({ 'more than the limit, an order was in flight': 2 });
    for (const one of evidence.history) one.endedAt = loss.at - 1;
    expect(check(evidence).violations.map(({ invariant }) => invariant)).toEqual(['I9', 'I9']);
  });

  it('may tell somebody that all is sold whose order was in flight, and nobody else', () => {
    const evidence = givenEvidence();
    evidence.history.push(operation(soldOut));
    evidence.losses.push(loss);
    expect(excusesOf(evidence)).toEqual({ '"sold out" under the key of an order in flight': 1 });
    evidence.losses = [{ ...loss, at: 1_100 }];
    expect(check(evidence).violations.map(({ invariant }) => invariant)).toEqual(['I12']);
  });

  it('may cost orders of a fast sale, and of no other', () => {
    const evidence = givenEvidence();
    const promised = accepted({ ...orderOf(evidence, 'o1'), id: 'o9', idempotencyKey: 'lost' });
    evidence.history.push(promised as Given['history'][number]);
    evidence.losses.push(loss);
    expect(check(evidence).violations.map(({ invariant }) => invariant)).toEqual(['I4']);
    evidence.fastSales.add(given.sale);
    expect(excusesOf(evidence)).toEqual({ 'fast: an accepted order is gone': 1 });
  });
});
