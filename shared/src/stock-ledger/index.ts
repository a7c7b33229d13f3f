export { holdId, printHoldId, type HoldName } from './hold-id.ts';
export {
  parseHoldRecord,
  unitNames,
  unitsByProduct,
  type HoldKind,
  type HoldRecord,
} from './hold-record.ts';
export { ledgerKeys, type LedgerKeys } from './keys.ts';
export type {
  KeyLookup,
  KeyPlace,
  LedgerEntry,
  LedgerRefusal,
  OrderUnits,
  PricedStock,
  ProductCounters,
  ReserveReply,
  ReserveRequest,
  SaleSettings,
  SaleSnapshot,
  SaleState,
  ShownStock,
  StockLedger,
} from './ledger.ts';
export {
  createMemoryStockLedger,
  emptyLedger,
  type MemoryLedgerState,
} from './memory-stock-ledger.ts';
export { createRedisStockLedger } from './redis-stock-ledger.ts';
export {
  rebuildSliceSize,
  type RebuildReply,
  type RebuildSlice,
  type RebuildStep,
  type RebuildTurn,
  type RebuiltKey,
} from './rebuild-step.ts';
export { reserveError, type ReserveRefusal } from './reserve-error.ts';
export { checkShardCount } from './shard-count.ts';
