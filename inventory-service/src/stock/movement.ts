export const restockReasons = ['restock', 'found', 'returned'] as const;
export const movementReasons = ['initial', ...restockReasons, 'allotment-in'] as const;

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
  reason: (typeof movementReasons)[number];
  by: string;
  at: Date;
}

/** A movement whose numbers are drawn when it is written. */
export type Arrival = Omit<Movement, 'firstUnit' | 'lastUnit'> & { units: number };

/** Where a page of movements begins: behind this one. */
export type MovementPlace = Pick<Movement, 'id' | 'at'>;

/** The last unit that MongoDB has of a product. */
export type Commitment = Pick<Movement, 'saleId' | 'productId' | 'lastUnit'>;

/** Movements in MongoDB. Throws AppError `dependency-unavailable` when it is away. */
export interface MovementStore {
  /** Harmless when it is there. */
  insert(movement: Movement): Promise<void>;
  /**
   * Writes an arrival with the numbers that follow the highest of its product; resolves to what is
   * there under its id, which an earlier or simultaneous call may have written.
   */
  append(arrival: Arrival): Promise<Movement>;
  findById(id: string): Promise<Movement | undefined>;
  /** The highest unit that MongoDB has of a product in a sale; 0: none. */
  lastUnit(saleId: string, productId: string): Promise<number>;
  /** Movements of a product in all sales, newest first. */
  listOfProduct(
    productId: string,
    options: { after?: MovementPlace; limit: number },
  ): Promise<Movement[]>;
  /** The last unit of each product of a sale. */
  listCommitments(saleId: string): Promise<Commitment[]>;
  /** Last units of movements since an instant, several per product where there were several. */
  listCommitmentsSince(at: Date): Promise<Commitment[]>;
}
