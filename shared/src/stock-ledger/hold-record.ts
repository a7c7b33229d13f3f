/**
 * What a hold is for: a buyer's order, an order of the house (damage, correction, move), or no order
 * at all (bare: units put aside for a buyer until a deadline).
 */
export type HoldKind = 'order' | 'house' | 'bare';

/**
 * Everything that is needed to build an order, written in the same step that takes the units.
 * Stored as one line of JSON that the scripts read and write, a line feed, and the facts: text
 * that order-service wrote and that no script ever looks into.
 */
export interface HoldRecord {
  orderId: string;
  kind: HoldKind;
  userId: string;
  /** The sale's epoch when the units were taken. */
  epoch: number;
  /** Milliseconds since the epoch, by the ledger's clock. */
  at: number;
  /** Deadline in milliseconds since the epoch; 0: none, or none any more. */
  expiresAt: number;
  /**
   * An order of a fast sale: its buyer may have been told yes on the strength of this record, before
   * the order was in MongoDB.
   */
  fast?: true;
  /** What `expiresAt` was before the hold was settled. */
  deadline?: number;
  /** Unit numbers by product. */
  units: Readonly<Record<string, readonly number[]>>;
  /** Minor units of currency by product, as the ledger had them at `at`. */
  prices: Readonly<Record<string, number>>;
  facts: string;
}

type RecordHeader = Omit<HoldRecord, 'orderId' | 'facts'>;

/** Reads a stored record. */
export function parseHoldRecord(orderId: string, stored: string): HoldRecord {
  const end = stored.indexOf('\n');
  const header = JSON.parse(stored.slice(0, end)) as RecordHeader;
  return { ...header, orderId, facts: stored.slice(end + 1) };
}

/** Unit names as orders hold them: `<saleId>:<productId>:<n>`. */
export function unitNames(saleId: string, units: HoldRecord['units']): string[] {
  return Object.entries(units).flatMap(([productId, numbers]) =>
    numbers.map((number) => `${saleId}:${productId}:${number}`),
  );
}

/** Unit names of one sale, back as numbers by product. */
export function unitsByProduct(names: readonly string[]): Record<string, number[]> {
  const units: Record<string, number[]> = {};
  for (const name of names) {
    const [, productId = '', number] = name.split(':');
    (units[productId] ??= []).push(Number(number));
  }
  return units;
}
