import { beforeEach, describe, expect, it } from '@jest/globals';
import { mongo as driver } from 'mongoose';
import type { Mongo } from '../mongo/index.ts';
import type { Catalogue } from './catalogue.ts';
import { createMongoCatalogue } from './mongo-catalogue.ts';

const [a, b] = ['a', 'b'].map((letter) => letter.repeat(24)) as [string, string];
const facts = (sku: string) => ({
  saleId: 's',
  saleChangedAt: new Date(0),
  merchantId: 'm',
  sku,
  name: 'n',
  currency: 'USD',
  archived: false,
});

let stored: Record<string, ReturnType<typeof facts>>;
let reads: string[][];
let failure: Error | undefined;
let catalogue: Catalogue;

beforeEach(() => {
  stored = { [a]: facts('a') };
  reads = [];
  failure = undefined;
  const find = (filter: { _id: { $in: driver.ObjectId[] } }) => ({
    toArray: async () => {
      const ids = filter._id.$in.map((id) => id.toHexString());
      reads.push(ids);
      await new Promise((done) => setImmediate(done));
      if (failure) throw failure;
      return ids.flatMap((id) => {
        const found = stored[id];
        return found ? [{ _id: new driver.ObjectId(id), ...found }] : [];
      });
    },
  });
  const db = () => ({ collection: () => ({ find }) });
  catalogue = createMongoCatalogue({ db } as unknown as Mongo);
});

describe('catalogue', () => {
  it('finds what exists and remembers it', async () => {
    const expected = new Map([[a, { id: a, ...facts('a') }]]);
    expect(await catalogue.find([a, b, a])).toEqual(expected);
    expect(await catalogue.find([a, b])).toEqual(expected);
    expect(reads).toEqual([[a, b]]);
  });

  it('callers at the same time share one read', async () => {
    const found = await Promise.all(Array.from({ length: 50 }, () => catalogue.find([a])));
    expect(found.every((products) => products.has(a))).toBe(true);
    expect(reads).toEqual([[a]]);
    stored[b] = facts('b');
    const [first, second] = await Promise.all([catalogue.find([b]), catalogue.find([a, b])]);
    expect(first.size).toBe(1);
    expect(second.size).toBe(2);
    expect(reads).toEqual([[a], [b]]);
  });

  it('forgets what turned out to be wrong, also while it is being read', async () => {
    await catalogue.find([a]);
    stored[a] = facts('changed');
    expect((await catalogue.find([a])).get(a)?.sku).toBe('a');
    catalogue.forget(a);
    expect((await catalogue.find([a])).get(a)?.sku).toBe('changed');
    catalogue.forget(a);
    const old = catalogue.find([a]);
    catalogue.forget(a);
    await old;
    stored[a] = facts('newest');
    expect((await catalogue.find([a])).get(a)?.sku).toBe('newest');
  });

  it('says when the database is away, and asks again the next time', async () => {
    failure = Object.assign(new Error('no server'), { name: 'MongoServerSelectionError' });
    await expect(Promise.all([catalogue.find([a]), catalogue.find([a])])).rejects.toMatchObject({
      code: 'dependency-unavailable',
    });
    failure = undefined;
    expect((await catalogue.find([a])).has(a)).toBe(true);
  });
});
