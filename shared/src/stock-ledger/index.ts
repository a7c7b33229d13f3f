export {
  parseHoldRecord,
  unitNames,
  unitsByProduct,
  type HoldKind,
  type HoldRecord,
} from './hold-record.ts';
export { ledgerKeys, type LedgerKeys } from './keys.ts';
export type {
  LedgerEntry,
  LedgerRefusal,
  OrderUnits,
  ProductCounters,
  ReserveReply,
  ReserveRequest,
  SaleSettings,
  SaleSnapshot,
  ShownStock,
  StockLedger,
} from './ledger.ts';
export { createMemoryStockLedger } from './memory-stock-ledger.ts';
export { createRedisStockLedger } from './redis-stock-ledger.ts';
export { checkShardCount } from './shard-count.ts';
