import type { SaleSettings } from '@quicksale/shared/stock-ledger';

/**
 * What is being done with a sale. `preparing`: its units are on their way in. `closing` and
 * `refusing`: what is left is on its way back, after an end or because it could not be made.
 */
export const stages = [
  'preparing',
  'ready',
  'paused',
  'closing',
  'finished',
  'refusing',
  'refused',
] as const;
export type Stage = (typeof stages)[number];

/** What people see of it; whether a ready sale is open follows from the time. */
export const saleStates = [
  'preparing',
  'scheduled',
  'open',
  'paused',
  'closed',
  'finished',
] as const;
export type SaleState = (typeof saleStates)[number];

/**
 * One move of units between the standing and the timed sale. Its id and number are written down
 * before it is made, so whoever goes on after a crash makes this very move and no other.
 */
export interface Round {
  operationId: string;
  units: number;
  direction: 'in' | 'back';
}

export interface SaleItem {
  productId: string;
  sku: string;
  name: string;
  /** Minor units. */
  price: number;
  /** Units that its merchant wants to have moved in. */
  stock: number;
  /** Units that have been moved in. */
  allotted: number;
  /** Rounds that were written down so far. */
  rounds: number;
  /** The one that may be under way. */
  round?: Round;
  /** The last restocks that had an id: each is made once, however often it is asked for. */
  restocks?: readonly { id: string; units: number }[];
}

/** Why a sale could not be made. */
export type Refusal =
  | { code: 'product-in-sale'; productId: string }
  | { code: 'insufficient-stock'; products: { productId: string; available: number }[] };

/** A sale with a beginning and an end, as MongoDB has it. */
export interface TimedSale {
  id: string;
  kind: 'timed';
  merchantId: string;
  name: string;
  currency: string;
  opensAt: Date;
  closesAt: Date;
  /** 0: none. */
  perBuyerLimit: number;
  /** Milliseconds that a buyer has to pay; 0: there is no payment step. */
  holdMs: number;
  durability: 'safe' | 'fast';
  items: readonly SaleItem[];
  stage: Stage;
  refusal?: Refusal;
  /** Rises with everything that its merchant does; the version that If-Match compares. */
  settingsVersion: number;
  /** The version that the ledger has; 0: none. */
  putVersion: number;
  /** The ledger knows the sale. From then on an unknown sale there is a lost one. */
  ledgerReady: boolean;
  /** Rises with every write: nobody overwrites what somebody else has written meanwhile. */
  revision: number;
  /** When the runner looks at it next; absent when nothing can be left to do. */
  runAt?: Date;
  endedAt?: Date;
  createdAt: Date;
  updatedAt: Date;
}

/** Where a sale stands at a time; undefined for one that was refused, which never was one. */
export function saleState(
  sale: Pick<TimedSale, 'stage' | 'opensAt' | 'closesAt'>,
  nowMs: number,
): SaleState | undefined {
  const isOver = nowMs >= sale.closesAt.getTime();
  switch (sale.stage) {
    case 'refusing':
    case 'refused':
      return undefined;
    case 'ready':
      if (isOver) return 'closed';
      return nowMs < sale.opensAt.getTime() ? 'scheduled' : 'open';
    case 'paused':
      return isOver ? 'closed' : 'paused';
    case 'closing':
      return 'closed';
    case 'preparing':
    case 'finished':
      return sale.stage;
    default:
      return sale.stage satisfies never;
  }
}

/** What the ledger is told of a timed sale. */
export function timedSettings(sale: TimedSale): SaleSettings {
  return {
    saleId: sale.id,
    settingsVersion: sale.settingsVersion,
    state: ledgerState(sale.stage),
    // 0 would stand for a standing sale.
    opensAtMs: Math.max(sale.opensAt.getTime(), 1),
    closesAtMs: sale.closesAt.getTime(),
    perBuyerLimit: sale.perBuyerLimit,
    holdMs: sale.holdMs,
    durability: sale.durability,
    products: sale.items.map(({ productId, price }) => ({ productId, price, away: false })),
  };
}

function ledgerState(stage: Stage): SaleSettings['state'] {
  if (stage === 'preparing' || stage === 'ready') return 'live';
  return stage === 'paused' ? 'paused' : 'closed';
}

/** The sale as it is from its end on: closed for good. */
export const ended = (sale: TimedSale, nowMs: number): TimedSale => ({
  ...sale,
  stage: 'closing',
  settingsVersion: sale.settingsVersion + 1,
  endedAt: new Date(nowMs),
});

/** Units of one round: a house order of so many is written well within the database's deadline. */
export const unitsPerRound = 1_000;

/** The sale with one item changed. */
export const withItem = (
  sale: TimedSale,
  productId: string,
  change: (item: SaleItem) => SaleItem,
): TimedSale => ({
  ...sale,
  items: sale.items.map((item) => (item.productId === productId ? change(item) : item)),
});

/** Writes the next round of an item down. */
export const openRound = (
  sale: TimedSale,
  productId: string,
  { units, direction }: Pick<Round, 'units' | 'direction'>,
): TimedSale =>
  withItem(sale, productId, (item) => ({
    ...item,
    rounds: item.rounds + 1,
    round: {
      operationId: `${sale.id}:${productId}:${item.rounds + 1}`,
      units: Math.min(units, unitsPerRound),
      direction,
    },
  }));

/** Takes note that the open round of an item was made, or that it cannot be. */
export const closeRound = (sale: TimedSale, productId: string, wasMade: boolean): TimedSale =>
  withItem(sale, productId, ({ round, ...item }) => ({
    ...item,
    allotted: item.allotted + (wasMade && round?.direction === 'in' ? round.units : 0),
  }));
