import type { LedgerKeys } from './keys.ts';
import { emptySale, type MemorySale } from './memory-sale.ts';
import type { RebuildReply, RebuildSlice, RebuildStep, RebuildTurn } from './rebuild-step.ts';

/** All that the ledger in memory keeps. */
export interface MemoryState {
  keys: LedgerKeys;
  sales: Map<string, MemorySale>;
  idem: Map<string, string>;
  dueOf: (saleId: string) => Map<string, number>;
  unrecordedOf: (saleId: string) => Map<string, number>;
}

/** What `rebuild.lua` must do, said plainly. */
export function rebuildInMemory(
  state: MemoryState,
  saleId: string,
  { turn, step }: { turn: RebuildTurn; step: RebuildStep },
): RebuildReply {
  const sale = state.sales.get(saleId);
  const epoch = sale?.settings.epoch ?? 0;
  if (step.kind === 'begin') {
    if (epoch >= turn.epoch) return { status: 'outdated', epoch };
    const begun = { ...sale?.settings, epoch: turn.epoch, fenced: true, slice: 1 };
    state.sales.set(saleId, { ...(sale ?? emptySale()), settings: begun });
    return { status: 'ok' };
  }
  if (!sale || epoch !== turn.epoch) return { status: 'outdated', epoch };
  const { settings } = sale;
  if (!settings.fenced || settings.slice !== turn.slice) return { status: 'out_of_turn' };
  if (step.kind === 'open') {
    const records = sale.holds.size;
    if (records !== step.records) return { status: 'incomplete', records };
    const { slice: _, ...kept } = settings;
    sale.settings = { ...kept, fenced: false };
    return { status: 'ok' };
  }
  if (step.kind === 'write') write(state, { saleId, sale }, step);
  else {
    for (const map of [sale.lines, sale.buyers, sale.bare, sale.holds]) map.clear();
    for (const productId of step.productIds) sale.free.delete(productId);
  }
  sale.settings.slice = turn.slice + 1;
  return { status: 'ok' };
}

function write(
  state: MemoryState,
  { saleId, sale }: { saleId: string; sale: MemorySale },
  slice: RebuildSlice,
): void {
  const { settings, prices = [], counters = [], buyers = [], records = [] } = slice;
  if (settings) Object.assign(sale.settings, settings);
  for (const { productId, ...line } of [...prices, ...counters])
    sale.lines.set(productId, { ...sale.lines.get(productId), ...line });
  for (const { userId, units } of buyers) sale.buyers.set(userId, units);
  for (const orderId of slice.struck ?? [])
    for (const set of [state.dueOf(saleId), state.unrecordedOf(saleId)])
      set.delete(`${saleId}/${orderId}`);
  for (const record of records) {
    sale.holds.set(record.orderId, record);
    if (record.expiresAt > 0)
      state.dueOf(saleId).set(`${saleId}/${record.orderId}`, record.expiresAt);
  }
  for (const { productId, numbers } of slice.free ?? [])
    sale.free.set(
      productId,
      [...new Set([...(sale.free.get(productId) ?? []), ...numbers])].sort((a, b) => a - b),
    );
  for (const { digest, orderId, fingerprint } of slice.keys ?? [])
    state.idem.set(state.keys.idem(saleId, digest), `${orderId} ${fingerprint}`);
}
