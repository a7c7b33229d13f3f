import type { ReadySale } from '../sales/sale-store.ts';
import type { OwningOrder, RecentOrder } from './recent-orders.ts';

/** A shard, and the run of the server that has it at present; a restart has another run id. */
export interface ShardRun {
  shard: number;
  runId: string;
}

/**
 * The ledger's server, or the masters of its cluster, as admission sees them: plain reads and writes,
 * since no script works before a server is admitted. Everything throws AppError
 * `dependency-unavailable` when a server that is asked is away.
 */
export interface LedgerServer {
  /**
   * Shards of servers that were not checked in this run: one of their shards does not say so. Those
   * whose server is away are left out, for the others' sake; throws when all are.
   */
  findUnchecked(): Promise<ShardRun[]>;
  shardOf(saleId: string): number;
  admit(runs: readonly ShardRun[]): Promise<void>;
  /** Those of the sales that the ledger does not know, and those whose settings are older than put. */
  findForgotten(sales: readonly ReadySale[]): Promise<{ unknown: string[]; outdated: string[] }>;
  /** Those of the orders that own units and have no record, and those that have no idempotency key. */
  findMissing(
    orders: readonly RecentOrder[],
  ): Promise<{ records: OwningOrder[]; keys: RecentOrder[] }>;
  /** Those of the orders one of whose units could be given to somebody: it is free, or not issued. */
  findForSale(orders: readonly OwningOrder[]): Promise<OwningOrder[]>;
  /** Writes idempotency keys back, each for what is left of its time; a key that is there stays. */
  restoreKeys(orders: readonly RecentOrder[], now: Date): Promise<void>;
  fence(saleIds: readonly string[]): Promise<void>;
}
