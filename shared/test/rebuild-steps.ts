import type { HoldRecord, RebuildStep, SaleSettings } from '@quicksale/shared/stock-ledger';

/** The steps of writing a sale back that has these records and, of each product, so many units. */
export function rebuildSteps(sale: {
  records: readonly HoldRecord[];
  marked: { due: string[]; unrecorded: string[] };
  settings: SaleSettings;
  products: readonly string[];
  lastUnit?: number;
}): RebuildStep[] {
  const { records, products, lastUnit = 30 } = sale;
  const { saleId: _, products: __, ...settings } = sale.settings;
  const units = new Map<string, number>();
  for (const record of records.filter(({ kind }) => kind !== 'house'))
    units.set(
      record.userId,
      Object.values(record.units).flat().length + (units.get(record.userId) ?? 0),
    );
  const lines = products.map((productId) => {
    const numbersOf = (some: readonly HoldRecord[]) =>
      some.flatMap((record) => record.units[productId] ?? []);
    const owned = new Set(numbersOf(records));
    const next = Math.max(0, ...owned) + 1;
    const numbers = Array.from({ length: next - 1 }, (_, index) => index + 1);
    return {
      counters: {
        productId,
        last: lastUnit,
        next,
        available: lastUnit - owned.size,
        held: numbersOf(records.filter(({ expiresAt }) => expiresAt > 0)).length,
        gone: 0,
      },
      free: { productId, numbers: numbers.filter((number) => !owned.has(number)) },
    };
  });
  return [
    { kind: 'begin' },
    { kind: 'clear', productIds: products },
    { kind: 'write', struck: [...sale.marked.due, ...sale.marked.unrecorded] },
    {
      kind: 'write',
      settings,
      prices: products.map((productId) => ({ productId, price: 300, away: false })),
      counters: lines.map(({ counters }) => counters),
    },
    {
      kind: 'write',
      records,
      keys: records.map(({ orderId }, index) => ({
        digest: orderId.padStart(64, 'f'),
        orderId,
        fingerprint: String(index).padStart(64, 'f'),
        seconds: 1_000,
      })),
    },
    {
      kind: 'write',
      buyers:
        settings.opensAtMs > 0
          ? [...units].map(([userId, count]) => ({ userId, units: count }))
          : [],
      free: lines.map(({ free }) => free),
    },
    { kind: 'open', records: records.length },
  ];
}
