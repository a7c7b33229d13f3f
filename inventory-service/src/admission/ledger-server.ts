import type { HeldOrder } from './recent-orders.ts';

/**
 * The ledger's server as admission sees it: plain reads and writes, since no script works before
 * the server is admitted. Everything throws AppError `dependency-unavailable` when it is away.
 */
export interface LedgerServer {
  /** Id of this run of the server; a restart has another. */
  runId(): string;
  /** Whether every shard names this run as checked. */
  isAdmitted(runId: string): Promise<boolean>;
  admit(runId: string): Promise<void>;
  /** Those of the sales that the server does not know. */
  findUnknown(saleIds: readonly string[]): Promise<string[]>;
  /** Those of the orders that have no record, and those that have no idempotency key. */
  findMissing(orders: readonly HeldOrder[]): Promise<{ records: HeldOrder[]; keys: HeldOrder[] }>;
  /** Writes idempotency keys back, each for what is left of its time; a key that is there stays. */
  restoreKeys(orders: readonly HeldOrder[], now: Date): Promise<void>;
  fence(saleIds: readonly string[]): Promise<void>;
}
