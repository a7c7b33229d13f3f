/** The right to rebuild a sale, for a while. */
export interface RebuildLease {
  /** Rises with every lease of the sale: the ledger hears nobody who has a lower one. */
  epoch: number;
  /** Keeps it for longer, if it is due. Throws RebuildStopped when somebody else has it. */
  renew(): Promise<void>;
  /** Gives it back. `highest` is an epoch that the ledger has, where that is higher. */
  end(highest?: number): Promise<void>;
}

/** Leases in MongoDB. Everything throws AppError `dependency-unavailable` when it is away. */
export interface RebuildLeases {
  /** Undefined while somebody else has it. */
  take(saleId: string): Promise<RebuildLease | undefined>;
}

/** A rebuild that may not go on; whoever comes next starts over. */
export class RebuildStopped extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'RebuildStopped';
  }
}
