// Whatever a stranger sends is judged in time that grows with its length and no faster.
import { describe, expect, it } from '@jest/globals';
import { emailSchema, newAccountSchema } from '../auth-service/src/users/user-schemas.ts';
import { findDestination } from '../gateway/src/proxy/routing-table.ts';
import { wordsOf } from '../inventory-service/src/products/listing.ts';
import { newProduct } from '../inventory-service/src/products/product-fields.ts';
import { newSale } from '../inventory-service/src/sales/sale-fields.ts';
import { orderRequest } from '../order-service/src/intake/order-request.ts';
import { isUnchanged, matchesVersion, shownBy } from '../shared/src/http/entity-tag.ts';
import { readBearerToken } from '../shared/src/http/route.ts';
import { addressKey } from '../shared/src/limits/client-key.ts';
import { errorFields } from '../shared/src/log/error-fields.ts';

/** Pieces whose repetition makes patterns with nested or neighbouring quantifiers go back and forth. */
const pieces = [
  'a',
  '1',
  ' ',
  '\t\n',
  '-',
  '.',
  'a.',
  'a-',
  'a@',
  '@',
  ':',
  '1:',
  '/a',
  '//',
  '"1-1"',
  ',',
  'a ',
  '\u00e4',
];
const ends = ['', '!', '@', '\n'];

const product = newProduct.shape;
const judges: Record<string, (text: string) => unknown> = {
  'an e-mail address': (text) => emailSchema.safeParse(text),
  'a first name': (text) => newAccountSchema.shape.firstName.safeParse(text),
  'a SKU': (text) => product.sku.safeParse(text),
  'a product name': (text) => product.name.safeParse(text),
  'a description': (text) => product.description.safeParse(text),
  'a category': (text) => product.category.safeParse(text),
  'a search': (text) => wordsOf(text),
  'a time': (text) => newSale.shape.opensAt.safeParse(text),
  'a product id': (text) => orderRequest.shape.items.safeParse([{ productId: text, quantity: 1 }]),
  'a hold id': (text) => orderRequest.shape.holdId.safeParse(text),
  'a country': (text) =>
    orderRequest.shape.shippingAddress.safeParse({ country: text, line1: text }),
  'a bearer token': (text) => readBearerToken(`Bearer ${text}`),
  'an If-None-Match': (text) => isUnchanged(text, '"1"'),
  'an If-Match': (text) => [matchesVersion(text, 1), shownBy(text, 1)],
  'an address of a client': (text) => addressKey(text),
  'a request target': (text) => findDestination('GET', `/${text}`),
  'the text of an error': (text) => errorFields(text),
};

/** Shortest of several runs: what others do on the machine is not in it. */
function timeOf(work: () => unknown): number {
  const times = Array.from({ length: 5 }, () => {
    const startedAt = performance.now();
    work();
    return performance.now() - startedAt;
  });
  return Math.min(...times);
}

/** Below this the clock says more about itself than about the work. */
const floorMs = 0.1;
const [short, long] = [6_250, 100_000] as const;

describe('100 kB', () => {
  // Sixteen times the length: a linear judge takes 16 times as long, a quadratic one 256 times.
  it.each(Object.entries(judges))('as %s take no more than their share', (_name, judge) => {
    for (const piece of pieces)
      for (const end of ends) {
        const make = (length: number) => piece.repeat(length / piece.length) + end;
        const [little, much] = [make(short), make(long)];
        const growth =
          timeOf(() => judge(much)) /
          Math.max(
            floorMs,
            timeOf(() => judge(little)),
          );
        expect([piece, end, growth > 100 && Math.round(growth)]).toEqual([piece, end, false]);
      }
  });
});
