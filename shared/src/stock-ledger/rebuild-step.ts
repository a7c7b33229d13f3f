import type { HoldRecord } from './hold-record.ts';
import type { ProductCounters, SaleSettings } from './sale-settings.ts';

/**
 * Who writes a sale back and how far it is. Slices count from 0; each is refused unless it is the
 * next one of the epoch that the sale has, so of two rebuilders one dies, and so does one whose
 * server has lost a slice.
 */
export interface RebuildTurn {
  epoch: number;
  slice: number;
}

/** An idempotency key and what it names, for what is left of its time. */
export interface RebuiltKey {
  digest: string;
  orderId: string;
  fingerprint: string;
  seconds: number;
}

/** Part of a sale; at most `rebuildSliceSize` of each. */
export interface RebuildSlice {
  settings?: Omit<SaleSettings, 'saleId' | 'products'>;
  prices?: SaleSettings['products'];
  counters?: readonly ({ productId: string } & ProductCounters)[];
  buyers?: readonly { userId: string; units: number }[];
  /** With their deadlines. */
  records?: readonly HoldRecord[];
  /** Orders whose deadlines and unrecorded marks go. */
  struck?: readonly string[];
  /** Numbers that are to be given out again. */
  free?: readonly { productId: string; numbers: readonly number[] }[];
  keys?: readonly RebuiltKey[];
}

export type RebuildStep =
  /** Slice 0: raises the epoch and fences the sale, which it makes when it is unknown. */
  | { kind: 'begin' }
  /** Drops counters, buyers and records, and the free numbers of these products. */
  | { kind: 'clear'; productIds: readonly string[] }
  | ({ kind: 'write' } & RebuildSlice)
  /** The last one: opens the sale when it has exactly so many records. */
  | { kind: 'open'; records: number };

export type RebuildReply =
  | { status: 'ok' | 'not_admitted' | 'out_of_turn' }
  /** The sale has an epoch that is as high, or another one than the slice's. */
  | { status: 'outdated'; epoch: number }
  | { status: 'incomplete'; records: number };

/** Entries of one kind in a slice: within what Lua passes to a command, and soon done. */
export const rebuildSliceSize = 500;

/** A record as the scripts keep it. */
export function printHoldRecord({ orderId: _, facts, ...header }: HoldRecord): string {
  return `${JSON.stringify(header)}\n${facts}`;
}

/** Fields of the sale's hash, but for its epoch and fence. */
export const settingFields = (settings: NonNullable<RebuildSlice['settings']>): string[] => [
  ...['settingsVersion', String(settings.settingsVersion), 'state', settings.state],
  ...['opensAtMs', String(settings.opensAtMs), 'closesAtMs', String(settings.closesAtMs)],
  ...['perBuyerLimit', String(settings.perBuyerLimit), 'holdMs', String(settings.holdMs)],
  ...['durability', settings.durability],
];

/** Arguments of `rebuild.lua`, but for the keys' names. */
export function rebuildArguments(saleId: string, { epoch, slice }: RebuildTurn, step: RebuildStep) {
  const part: RebuildSlice = step.kind === 'write' ? step : {};
  const setting = part.settings ? settingFields(part.settings) : [];
  const field = [
    ...(part.prices ?? []).flatMap(({ productId, price, away }) => [
      ...[`${productId}:price`, String(price)],
      ...[`${productId}:away`, away ? '1' : '0'],
    ]),
    ...(part.counters ?? []).flatMap(({ productId, last, next, available, held, gone }) => [
      ...[`${productId}:last`, String(last), `${productId}:next`, String(next)],
      ...[`${productId}:available`, String(available)],
      ...[`${productId}:held`, String(held), `${productId}:gone`, String(gone)],
    ]),
  ];
  const buyer = (part.buyers ?? []).flatMap(({ userId, units }) => [userId, String(units)]);
  const record = (part.records ?? []).flatMap((one) => [
    ...[one.orderId, printHoldRecord(one), String(one.expiresAt)],
  ]);
  const number = (part.free ?? []).flatMap(({ numbers }) => [
    ...[String(numbers.length), ...numbers.map(String)],
  ]);
  const key = (part.keys ?? []).flatMap(({ orderId, fingerprint, seconds }) => [
    ...[`${orderId} ${fingerprint}`, String(seconds)],
  ]);
  const products = productsOf(step);
  return {
    saleId,
    epoch: String(epoch),
    slice: String(slice),
    step: step.kind,
    records: step.kind === 'open' ? String(step.records) : '',
    settingCount: String(setting.length),
    fieldCount: String(field.length),
    buyerCount: String(buyer.length),
    recordCount: String(record.length),
    struckCount: String(part.struck?.length ?? 0),
    productCount: String(products.length),
    setting,
    field,
    buyer,
    record,
    struck: part.struck ?? [],
    number,
    key,
  };
}

/** Products whose free numbers a step touches. */
export function productsOf(step: RebuildStep): readonly string[] {
  if (step.kind === 'clear') return step.productIds;
  return step.kind === 'write' ? (step.free ?? []).map(({ productId }) => productId) : [];
}
