import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Delivered } from '@quicksale/shared/bus';
import type { OrderCreated, OutgoingEvent } from '@quicksale/shared/contracts';
import { createLogger } from '@quicksale/shared/log';
import type { Order } from '@quicksale/shared/orders';
import type { HoldRecord, StockLedger } from '@quicksale/shared/stock-ledger';
import { answerCreated, type AnswerDeps } from './answer-created.ts';

const id = (n: number) => n.toString(16).padStart(24, '0');
const [saleA, saleB] = [id(0xa), id(0xb)];

type Holds = Awaited<ReturnType<StockLedger['readHolds']>>;
let calls: string[];
let published: OutgoingEvent[][];
let holds: Record<string, Record<string, number> | Exclude<Holds, object>>;
let documents: Partial<Order>[];
let fenceAnswer: Awaited<ReturnType<StockLedger['fence']>>;

beforeEach(() => {
  calls = [];
  published = [];
  holds = {};
  documents = [];
  fenceAnswer = 'fenced';
});

const deps: AnswerDeps = {
  log: createLogger({ service: 'test', level: 'silent' }),
  bus: { publish: async (events) => void published.push([...events]) },
  orders: {
    findByIds: async (ids) => {
      calls.push(`documents ${ids.length}`);
      return documents.filter((order) => ids.includes(order.id ?? '')) as Order[];
    },
  },
  ledger: {
    readHolds: async (saleId, ids) => {
      calls.push(`holds ${saleId} ${ids.length}`);
      const known = holds[saleId] ?? {};
      if (typeof known === 'string') return known;
      const record = (orderId: string) =>
        known[orderId] === undefined ? undefined : ({ expiresAt: known[orderId] } as HoldRecord);
      return { epoch: 7, nowMs: 0, records: ids.map(record) };
    },
    fence: async (saleId, epoch) => {
      calls.push(`fence ${saleId} ${epoch}`);
      return fenceAnswer;
    },
  },
};

const created = (order: number, saleId = saleA): Delivered<OrderCreated> => ({
  id: `${id(order)}:1`,
  time: '',
  context: { requestId: `r${order}` },
  data: {
    orderId: id(order),
    orderNumber: `N-${order}`,
    saleId,
    userId: id(99),
    items: [{ productId: id(1), quantity: 1 }],
    expiresAt: null,
    at: '2026-01-01T00:00:00.000Z',
  },
});
const outcomes = () =>
  published.flat().map(({ data }) => {
    const { orderId, outcome, paymentRequired } = data as Record<string, unknown>;
    return [orderId, outcome, paymentRequired];
  });

describe('answerCreated', () => {
  it('reads the holds of a sale once and publishes the answers of a batch once', async () => {
    holds = { [saleA]: { [id(1)]: 0, [id(3)]: 5 }, [saleB]: { [id(2)]: 0 } };
    await answerCreated(deps, [created(1), created(2, saleB), created(3), created(1)]);
    expect(calls).toEqual([`holds ${saleA} 2`, `holds ${saleB} 1`]);
    expect(published).toHaveLength(1);
    expect(outcomes()).toEqual([
      [id(1), 'RESERVED', false],
      [id(3), 'RESERVED', true],
      [id(1), 'RESERVED', false],
      [id(2), 'RESERVED', false],
    ]);
    expect(published[0]?.[0]).toMatchObject({ requestId: 'r1' });
  });

  it('judges an order without hold by its document, read after the hold was found missing', async () => {
    const units = ['x'];
    documents = [
      { id: id(1), inventoryStatus: 'SOLD', units, expiresAt: null },
      { id: id(2), inventoryStatus: 'RELEASED' },
      { id: id(3), inventoryStatus: 'PENDING' },
      { id: id(4), inventoryStatus: 'RESERVED', units: [] },
    ];
    await answerCreated(deps, [created(1), created(2), created(3), created(4), created(5)]);
    expect(calls).toEqual([`holds ${saleA} 5`, 'documents 5']);
    expect(outcomes().map(([, outcome]) => outcome)).toEqual([
      'RESERVED',
      ...Array<string>(4).fill('REJECTED'),
    ]);
  });

  it.each(['PENDING', 'RESERVED'] as const)(
    'fences with the epoch seen when a %s order with units has no hold',
    async (inventoryStatus) => {
      documents = [{ id: id(1), inventoryStatus, units: ['x'] }];
      holds = { [saleA]: { [id(2)]: 0 } };
      await answerCreated(deps, [created(1), created(2)]);
      expect(calls.at(-1)).toBe(`fence ${saleA} 7`);
      expect(outcomes()).toEqual([[id(2), 'RESERVED', false]]);
    },
  );

  it('answers nothing for a fenced sale, and publishes nothing when nothing is left', async () => {
    holds = { [saleA]: 'fenced' };
    await answerCreated(deps, [created(1)]);
    expect(published).toEqual([]);
    expect(calls).toEqual([`holds ${saleA} 1`]);
  });

  it('waits while the ledger is not admitted, seen at the read or at the fence', async () => {
    holds = { [saleA]: 'not_admitted' };
    await expect(answerCreated(deps, [created(1)])).rejects.toMatchObject({ kind: 'unavailable' });
    holds = {};
    fenceAnswer = 'not_admitted';
    documents = [{ id: id(1), inventoryStatus: 'PENDING', units: ['x'] }];
    await expect(answerCreated(deps, [created(1)])).rejects.toMatchObject({ kind: 'unavailable' });
    expect(published).toEqual([]);
  });
});
