import type { Operation } from '../history.ts';
import type { StoredOrder, StoreState } from './store-state.ts';
import type { Evidence } from './verdict.ts';

type Mutable<T> = T extends (...given: never[]) => unknown
  ? T
  : T extends ReadonlyMap<infer K, infer V>
    ? Map<K, V>
    : T extends ReadonlySet<infer V>
      ? Set<V>
      : T extends object
        ? { -readonly [K in keyof T]: Mutable<T[K]> }
        : T;

const openedWall = Date.parse('2026-11-22T10:00:00.000Z');
const at = (afterMs: number) => new Date(openedWall + afterMs).toISOString();

/** Sale, product and users of the evidence below. */
export const given = { sale: 'sale', paidSale: 'paid-sale', product: 'product', price: 1_999 };

type Step = [to: string, more?: Partial<StoredOrder['history'][number]>];

function order(
  id: string,
  steps: readonly Step[],
  state: Partial<StoredOrder> & Pick<StoredOrder, 'inventoryStatus'>,
): StoredOrder {
  let from: string | null = null;
  const history = steps.map(([to, more], index) => {
    const entry = { version: index + 1, from, to, at: at(1_000 + index), ...more };
    from = to;
    return entry;
  });
  return {
    ...{ id, kind: 'order', userId: `user-${id}`, saleId: given.sale },
    items: [{ productId: given.product, quantity: 1, unitPrice: given.price }],
    ...{ totalAmount: given.price, paymentStatus: 'NONE', version: steps.length, history },
    status: steps.at(-1)?.[0] ?? '',
    ...{ idempotencyKey: `key-${id}`, expiresAt: null, createdAt: at(1_000) },
    ...state,
  };
}

const unit = (saleId: string, number: number) => `${saleId}:${given.product}:${number}`;

/** The 201 of an order. */
export const accepted = ({
  id,
  userId,
  saleId,
  items,
  idempotencyKey,
}: StoredOrder): Operation => ({
  ...{ id: Number(id.slice(1)), type: 'place', userId, saleId, key: idempotencyKey },
  items: items.map(({ productId, quantity }) => ({ productId, quantity })),
  ...{ invokedAt: 900, invokedWall: openedWall + 900, endedAt: 1_050 },
  ...{ outcome: 'ok', status: 201, orderId: id, bytes: `bytes of ${id}` },
  told: {
    ...{ userId, saleId, totalAmount: given.price / 100 },
    items: items.map((item) => ({ ...item, unitPrice: item.unitPrice / 100 })),
  },
});

/**
 * A run in which everything is right: one order confirmed, one cancelled, one shipped, and, in a sale
 * with payment, one paid. Tests take something of it apart.
 */
export function givenEvidence(): Mutable<Evidence> {
  const orders = [
    order('o1', [['PENDING'], ['CONFIRMED', { cause: 'o1:result' }]], {
      inventoryStatus: 'RESERVED',
      units: [unit(given.sale, 1)],
    }),
    order('o2', [['PENDING'], ['CONFIRMED'], ['CANCELLED', { cause: 'cancel' }]], {
      inventoryStatus: 'RELEASED',
    }),
    order('o3', [['PENDING'], ['CONFIRMED'], ['PROCESSING'], ['SHIPPED']], {
      inventoryStatus: 'SOLD',
      units: [unit(given.sale, 3)],
    }),
    order('o4', [['PENDING'], ['AWAITING_PAYMENT'], ['CONFIRMED', { cause: 'payment' }]], {
      ...{ inventoryStatus: 'RESERVED', paymentStatus: 'PAID', saleId: given.paidSale },
      ...{ units: [unit(given.paidSale, 1)], expiresAt: at(5_000) },
    }),
  ];
  const steps = orders.flatMap((one) =>
    one.history.filter(({ version }) => version > 1).map((step) => ({ one, step })),
  );
  const state: StoreState = {
    orders,
    movements: [
      { saleId: given.sale, productId: given.product, lastUnit: 4 },
      { saleId: given.sale, productId: given.product, lastUnit: 6 },
      { saleId: given.paidSale, productId: given.product, lastUnit: 1 },
    ],
    sales: [
      { id: given.sale, kind: 'timed', opensAt: at(0), closesAt: at(60_000) },
      { id: given.paidSale, kind: 'timed', opensAt: at(0), closesAt: at(60_000) },
    ],
    notifications: steps.map(({ one, step }, index) => ({
      ...{ id: `${one.id}:${step.version}`, userId: one.userId, seq: index + 1 },
      data: { orderId: one.id, version: step.version, status: step.to },
    })),
    payments: [],
    simulatedPayments: [
      { paymentId: 'o4', amount: given.price, attempts: [{ succeedsAt: at(1_500) }], refunds: [] },
    ],
    ledger: {
      sales: {
        [given.sale]: {
          settings: { fenced: '0', epoch: '1' },
          products: {
            [given.product]: { last: 6, next: 4, available: 4, held: 0, gone: 1, free: [2] },
          },
          buyers: { 'user-o1': 1, 'user-o3': 1 },
          records: [
            {
              ...{ orderId: 'o1', kind: 'order', userId: 'user-o1', expiresAt: 0 },
              units: { [given.product]: [1] },
            },
          ],
        },
        [given.paidSale]: {
          settings: { fenced: '0', epoch: '1' },
          products: {
            [given.product]: { last: 1, next: 2, available: 0, held: 0, gone: 0, free: [] },
          },
          buyers: { 'user-o4': 1 },
          records: [
            {
              ...{ orderId: 'o4', kind: 'order', userId: 'user-o4', expiresAt: 0 },
              units: { [given.product]: [1] },
            },
          ],
        },
      },
      due: {},
      unrecorded: [],
    },
    statusEvents: steps.map(({ one, step }) => ({
      id: `${one.id}:${step.version}`,
      data: {
        ...{ orderId: one.id, userId: one.userId, from: step.from ?? '', to: step.to },
        ...{ version: step.version, inventoryStatus: '', paymentStatus: '' },
      },
    })),
    readAtWall: openedWall + 30_000,
  };
  const evidence: Evidence = {
    history: orders.map(accepted),
    state,
    ...{ losses: [], openWork: [], fastSales: new Set<string>() },
    limits: new Map([
      [given.sale, 2],
      [given.paidSale, 0],
    ]),
  };
  return structuredClone(evidence) as Mutable<Evidence>;
}
