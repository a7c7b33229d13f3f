import type { HoldKind, HoldRecord } from './hold-record.ts';
import type { ProductCounters, SaleSettings } from './sale-settings.ts';
import type { RebuildReply, RebuildStep, RebuildTurn } from './rebuild-step.ts';

export type { ProductCounters, SaleSettings } from './sale-settings.ts';

export interface ReserveRequest {
  orderId: string;
  userId: string;
  kind: HoldKind;
  /** sha256 of (userId, method + route, key): one constant-size name per idempotency key. */
  digest: string;
  /** SHA-256 of the canonical body. */
  fingerprint: string;
  /** A dead key's former order id: the key may name a new order. */
  replaces?: string;
  /** Bare holds only: how long the units are kept. */
  ttlMs?: number;
  /**
   * Sales that its products have left may know the key and were not asked: in a fast sale the order
   * is told `ask_earlier` then, and nothing is taken.
   */
  earlierUnasked?: boolean;
  /** A bare hold of the same user: given back in the step that takes the order's units. */
  holdId?: string;
  /** What that hold has besides the order's own products: all of it is named, else `hold_gone`. */
  holdProductIds?: readonly string[];
  facts: string;
  /** No product twice; quantities are whole and at least 1. */
  items: readonly { productId: string; quantity: number }[];
}

/** Why a whole call had no effect; asking again later may help. */
export type LedgerRefusal = 'not_admitted' | 'fenced';

export type ReserveReply =
  | { status: 'reserved'; record: HoldRecord }
  | { status: 'replayed'; orderId: string; recorded: boolean; record?: HoldRecord }
  | { status: 'key_reused' }
  | { status: 'sold_out'; products: { productId: string; available: number }[] }
  | { status: 'limit'; limit: number; owned: number }
  | { status: 'too_many_holds'; most: number }
  | { status: 'hold_gone' }
  | { status: 'not_open'; opensAtMs: number }
  | { status: 'closed' }
  | { status: 'paused' }
  | { status: 'unknown_product'; productId: string }
  | { status: 'ask_earlier' }
  | { status: 'unknown_sale' }
  | { status: LedgerRefusal };

export interface SaleSnapshot {
  epoch: number;
  fenced: boolean;
  products: Record<string, ProductCounters>;
  records: HoldRecord[];
}

/** Units of one order, by number. */
export interface OrderUnits {
  orderId: string;
  units: HoldRecord['units'];
}

/** An order as the sets of a shard name it. */
export interface LedgerEntry {
  saleId: string;
  orderId: string;
}

/** An idempotency key and a sale that it may have been used in. */
export interface KeyPlace {
  saleId: string;
  digest: string;
}

/** `known`: it names an order. `unknown` is said only by a ledger that can be believed. */
export type KeyLookup = 'known' | 'unknown' | 'unknown_sale' | LedgerRefusal;

/** How a sale stands in the ledger; `live` whether or not its window is open. */
export type SaleState = 'live' | 'unknown_sale' | LedgerRefusal;

/** What a page shows of a product: `stock` = last - gone, `reserved` = stock - available. */
export interface ShownStock {
  stock: number;
  reserved: number;
  available: number;
}

/** A product as it can be ordered at this moment; the price in minor units. */
export interface PricedStock extends ShownStock {
  price: number;
}

/**
 * The stock ledger: numbered units per sale and product, and who holds them. Every call is for one
 * sale (or one shard) and happens as a whole or not at all. All methods throw AppError
 * `dependency-unavailable` when the ledger is away; the outcome is then unknown.
 */
export interface StockLedger {
  /** At most 128 orders of one sale. `recorded`: ids to strike off the unrecorded set. */
  reserve(
    saleId: string,
    requests: readonly ReserveRequest[],
    recorded?: readonly string[],
  ): Promise<ReserveReply[]>;
  /** Puts named units back to free; a unit in the record is the token, so each comes back once. */
  release(
    saleId: string,
    releases: readonly OrderUnits[],
  ): Promise<('released' | 'already' | LedgerRefusal)[]>;
  /** Takes the deadline off paid holds. `gone`: there is no record, the units may be another's. */
  settle(
    saleId: string,
    orderIds: readonly string[],
  ): Promise<('settled' | 'already' | 'gone' | LedgerRefusal)[]>;
  /** Named units leave for good, each once as in `release`; the buyer's count stays. */
  ship(
    saleId: string,
    shipments: readonly OrderUnits[],
  ): Promise<('shipped' | 'already' | LedgerRefusal)[]>;
  /** Records by order, `undefined` where there is none; `nowMs` is the ledger's time, as deadlines are. */
  readHolds(
    saleId: string,
    orderIds: readonly string[],
  ): Promise<{ epoch: number; nowMs: number; records: (HoldRecord | undefined)[] } | LedgerRefusal>;
  /** Whether idempotency keys are known to sales, by plain reads: for keys that are mostly not. */
  findKeys(asked: readonly KeyPlace[]): Promise<KeyLookup[]>;
  /** Holds of one shard whose deadline has passed, leased to the caller. */
  claimDue(
    shard: number,
    options: { leaseMs: number; limit: number },
  ): Promise<LedgerEntry[] | 'not_admitted'>;
  /** Entries of one shard that have been unrecorded for `ageMs`, leased to the caller. */
  claimUnrecorded(
    shard: number,
    options: { ageMs: number; leaseMs: number; limit: number },
  ): Promise<LedgerEntry[] | 'not_admitted'>;
  /** Strikes ids off the unrecorded set: they are known to be in MongoDB. */
  strikeOff(saleId: string, orderIds: readonly string[]): Promise<void>;
  /** Marks holds whose orders MongoDB does not have; `gone`: there is no hold of an order. */
  markUnrecorded(
    saleId: string,
    orderIds: readonly string[],
  ): Promise<('marked' | 'already' | 'gone' | LedgerRefusal)[]>;
  raise(
    saleId: string,
    productId: string,
    lastUnit: number,
  ): Promise<'raised' | 'already' | LedgerRefusal>;
  /** Last unit of products of a sale as the ledger has it; null where it has no line. */
  lastUnits(saleId: string, productIds: readonly string[]): Promise<(number | null)[]>;
  /** `create` makes an unknown sale: only while its document is not marked `ledgerReady`. */
  putSale(settings: SaleSettings, create: boolean): Promise<'put' | 'already' | LedgerRefusal>;
  /** Fences a sale; `epoch` is the one seen with the evidence. */
  fence(saleId: string, epoch: number): Promise<'fenced' | 'already' | 'not_admitted'>;
  /** One step of writing a sale back; whoever does not know what became of one must begin anew. */
  rebuild(saleId: string, turn: RebuildTurn, step: RebuildStep): Promise<RebuildReply>;
  /** How sales stand, in one round trip; a server that is away says `not_admitted`. */
  saleStates(saleIds: readonly string[]): Promise<SaleState[]>;
  /**
   * Orders of a sale that the sets of its shard name, and hold records, by plain reads that change
   * nothing: of a sale that is fenced, and so stands still.
   */
  markedOrders(saleId: string): Promise<{ due: string[]; unrecorded: string[] }>;
  peekHolds(saleId: string, orderIds: readonly string[]): Promise<(HoldRecord | undefined)[]>;
  snapshot(saleId: string): Promise<SaleSnapshot | 'unknown_sale' | 'not_admitted'>;
  /**
   * Stock of products as pages show it, in one round trip; null where the ledger has no line, or
   * where one of several servers is away.
   */
  shownStock(
    products: readonly { saleId: string; productId: string }[],
  ): Promise<(ShownStock | null)[]>;
  /**
   * Price and stock of products, in one round trip; null where the sale does not sell the product: it
   * has no line or no price, or is away in another sale, or the sale is closed for good.
   */
  pricedStock(
    products: readonly { saleId: string; productId: string }[],
  ): Promise<(PricedStock | null)[]>;
  /** Milliseconds since the epoch by the clock that decides whether the sale is open. */
  clock(saleId: string): Promise<number>;
  shards: number;
}
