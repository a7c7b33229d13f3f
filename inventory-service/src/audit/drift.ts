/** What the auditor does about a drift; each can be switched off. */
export const repairs = ['mark-unrecorded', 'release', 'ship', 'fence'] as const;
export type Repair = (typeof repairs)[number];

/** Every way in which the books of a sale may disagree, and what mends it. */
export const driftKinds = {
  /** A record that is struck off as recorded, and no document of its order. */
  'record-without-order': 'mark-unrecorded',
  /** A unit in a record whose document does not own it. */
  'unit-not-owned': 'release',
  /** A unit in a record whose document says that it is sold. */
  'sold-unit-held': 'ship',
  /** A unit that a PENDING or RESERVED document owns, and its record lacks. */
  'unit-not-held': 'fence',
  /** Fewer units counted as gone than SOLD orders have that are in no record. */
  'gone-too-low': 'fence',
  /** More units counted as gone than all SOLD orders have. */
  'gone-too-high': 'fence',
  /** A unit that was issued and is nowhere: not free, in no record, in no order. */
  'unit-lost': 'fence',
  /** A unit that is in two places. */
  'unit-twice': 'fence',
  /** A unit that is free or held, and was never issued. */
  'unit-not-issued': 'fence',
  /** The count of available units is not that of the numbers that are there. */
  'available-wrong': 'fence',
  /** The count of units with a deadline is not that of the records. */
  'held-wrong': 'fence',
  /** Settings older than those that were put. */
  'settings-lost': 'fence',
  /** The ledger has units that no movement brought. */
  'last-too-high': 'fence',
  /** The ledger lacks units that a movement brought; the movement runner raises them. */
  'last-too-low': undefined,
  /** An order that is over still owns a unit. */
  'owned-after-end': undefined,
  /** An order owns a unit beyond what came in, or that another order owns. */
  'unit-oversold': undefined,
} as const satisfies Readonly<Record<string, Repair | undefined>>;
export type DriftKind = keyof typeof driftKinds;

/** One disagreement, down to the unit and the order where there is one. */
export interface Drift {
  kind: DriftKind;
  saleId: string;
  productId?: string;
  unit?: number;
  orderId?: string;
  expected?: number;
  found?: number;
  /**
   * The order carries the mark of whoever was to do this and will come back: it is late, and no
   * mystery.
   */
  isMarked?: boolean;
}

/** The name of a drift while it lasts. */
export const driftKey = ({ kind, productId, unit, orderId }: Drift): string =>
  [kind, productId, unit, orderId].join(' ');

/** How many units a drift is about. */
export const driftUnits = ({ expected, found }: Drift): number =>
  expected === undefined || found === undefined ? 1 : Math.abs(expected - found);
