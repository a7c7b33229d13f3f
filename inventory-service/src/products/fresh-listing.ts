import type { Clock } from '@quicksale/shared/process';
import { createListing, type Listing } from './listing.ts';
import type { ProductStore } from './product-store.ts';

/** A list may be so old: buyers share one look at what has changed. */
const freshMs = 500;
/** More than clocks differ and a write takes. */
const overlapMs = 10_000;
/** Whatever that missed is seen then. */
const wholeMs = 10 * 60_000;

/**
 * The listing, kept up with MongoDB while somebody asks for it: all of the catalogue at first, then
 * what has changed. Its cost for the database does not depend on the number of buyers.
 */
export function createFreshListing(deps: {
  products: Pick<ProductStore, 'listShown' | 'listChangedSince'>;
  clock: Clock;
}): () => Promise<Listing> {
  let listing = createListing();
  let wholeAtMs = -Infinity;
  let readAtMs = -Infinity;
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    const nowMs = deps.clock.now();
    if (nowMs - wholeAtMs >= wholeMs) {
      const whole = createListing();
      for (const product of await deps.products.listShown()) whole.set(product);
      [listing, wholeAtMs] = [whole, nowMs];
    } else {
      const since = new Date(readAtMs - overlapMs);
      for (const { archived, ...product } of await deps.products.listChangedSince(since)) {
        if (archived) listing.delete(product.id);
        else listing.set(product);
      }
    }
    readAtMs = nowMs;
  }

  return async () => {
    if (deps.clock.now() - readAtMs >= freshMs) {
      reading ??= read().finally(() => {
        reading = undefined;
      });
      await reading;
    }
    return listing;
  };
}
