import { AppError } from '@quicksale/shared/errors';

/** Most addresses that one user may keep. */
export const mostAddresses = 20;

/** A postal address that a user has kept; only its id matters here. */
export interface KeptAddress {
  id: string;
  label?: string | undefined;
  name?: string | undefined;
  line1: string;
  line2?: string | undefined;
  city: string;
  region?: string | undefined;
  postalCode: string;
  country: string;
}

/** The addresses of one user, in the order in which they were added. */
export type AddressBook = readonly KeptAddress[];

/** Where address books are kept. Throws `dependency-unavailable` while it is away. */
export interface AddressStore {
  read(userId: string): Promise<AddressBook>;
  /** One change after the other, whoever makes them; `decide` may be asked more than once. */
  change(userId: string, decide: (book: AddressBook) => AddressBook): Promise<void>;
}

/** The book with one more. Throws AppError `validation-failed` when it is full. */
export function withAddress(book: AddressBook, added: KeptAddress): AddressBook {
  if (book.length >= mostAddresses)
    throw new AppError('validation-failed', {
      message: `You have ${mostAddresses} addresses, which is the most: remove one first`,
    });
  return [...book, added];
}

/** The book with one written anew in its place. Throws AppError `not-found`. */
export function withChangedAddress(book: AddressBook, changed: KeptAddress): AddressBook {
  requireAddress(book, changed.id);
  return book.map((one) => (one.id === changed.id ? changed : one));
}

/** The book without one. Throws AppError `not-found`. */
export function withoutAddress(book: AddressBook, id: string): AddressBook {
  requireAddress(book, id);
  return book.filter((one) => one.id !== id);
}

function requireAddress(book: AddressBook, id: string): void {
  if (!book.some((one) => one.id === id))
    throw new AppError('not-found', { message: 'You have no such address' });
}
