import type { Payment } from './payment.ts';

/** What a compare-and-set came to. */
export interface Changed<T> {
  document: T;
  isChanged: boolean;
}

/**
 * Documents that change by compare-and-set only. Everything throws AppError `dependency-unavailable`
 * when the store is away: the outcome of a write is then unknown.
 */
export interface VersionedDocuments<T> {
  find(id: string): Promise<T | undefined>;
  /** False when there is one with this id, or with another unique value of it. */
  insert(document: T): Promise<boolean>;
  /**
   * Writes what `decide` makes of the document as it is now, and decides again when somebody else was
   * first. Undefined when there is none; throws AppError `overloaded` when it keeps changing.
   */
  change(id: string, decide: (now: T) => T | undefined): Promise<Changed<T> | undefined>;
}

export interface PaymentStore extends VersionedDocuments<Payment> {
  /** The one that an intent of the provider belongs to. */
  findByIntent(intentId: string): Promise<Payment | undefined>;
  /** A buyer's own, newest order first; `next` is the `before` of the next page. */
  listOwn(
    userId: string,
    page: { limit: number; before?: string },
  ): Promise<{ payments: Payment[]; next: string | undefined }>;
  /** Those of one provider that are to be looked at. */
  findDue(provider: Payment['provider'], now: Date, limit: number): Promise<Payment[]>;
}

/** Events of providers, each remembered under its id. */
export interface PaymentEvents {
  /** False when it was seen to before; one that was only received is to be applied again. */
  receive(id: string, at: Date): Promise<boolean>;
  markApplied(id: string, at: Date): Promise<void>;
}

/** A way to pay that a buyer has stored. */
export interface StoredMethod {
  id: string;
  userId: string;
  token: string;
  brand: string;
  last4: string;
  createdAt: Date;
}

export interface MethodStore {
  /** The same token again is the same method. */
  add(method: StoredMethod): Promise<StoredMethod>;
  listOwn(userId: string): Promise<StoredMethod[]>;
  findOwn(userId: string, id: string): Promise<StoredMethod | undefined>;
  remove(userId: string, id: string): Promise<void>;
}
