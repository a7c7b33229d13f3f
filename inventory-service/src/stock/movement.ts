/**
 * Units that came into a sale: the commitment which the ledger follows. Numbers are given out once
 * and for ever, so a movement names the first and the last of them.
 */
export interface Movement {
  /** Id of the operation: it happens once. */
  id: string;
  saleId: string;
  productId: string;
  firstUnit: number;
  lastUnit: number;
  reason: 'initial' | 'restock' | 'found' | 'returned' | 'allotment-in';
  by: string;
  at: Date;
}

/** Movements in MongoDB. Throws AppError `dependency-unavailable` when it is away. */
export interface MovementStore {
  /** Harmless when it is there. */
  insert(movement: Movement): Promise<void>;
}
