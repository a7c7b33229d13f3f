/**
 * That a hold is to become an order of the house, and by whose word. It is written before the order
 * is asked for and never changes: once the hold's record is gone, nothing else knows what was in it.
 */
export interface Confirmation {
  /** The hold's id as clients see it. */
  holdId: string;
  saleId: string;
  /** The buyer whose hold it was. */
  userId: string;
  items: readonly { productId: string; quantity: number }[];
  by: string;
  at: Date;
}

/** Confirmations in MongoDB. Throws AppError `dependency-unavailable` when it is away. */
export interface ConfirmationStore {
  find(holdId: string): Promise<Confirmation | undefined>;
  /** Resolves to the one that is there then: of two at the same time the first stands. */
  insert(confirmation: Confirmation): Promise<Confirmation>;
}
