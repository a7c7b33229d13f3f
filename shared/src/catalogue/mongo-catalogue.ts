import { LRUCache } from 'lru-cache';
import { mongo as driver } from 'mongoose';
import { withDeadline, type Mongo } from '../mongo/index.ts';
import type { Catalogue, CatalogueProduct } from './catalogue.ts';

type ProductDocument = Omit<CatalogueProduct, 'id'> & { _id: driver.ObjectId };

const projection = {
  saleId: 1,
  saleChangedAt: 1,
  formerSales: 1,
  merchantId: 1,
  sku: 1,
  name: 1,
  currency: 1,
  archived: 1,
} as const;

const remembered = 20_000;
const foundTtlMs = 60_000;
/** Long enough to stop a storm of requests for nothing, short enough for a product just made. */
const missingTtlMs = 1_000;

const none = Symbol('no such product');
type Entry = CatalogueProduct | typeof none;

/**
 * The catalogue on the collection that inventory-service writes. Callers that ask for the same
 * product at the same time share one read: at the opening second all of them do.
 */
export function createMongoCatalogue(mongo: Pick<Mongo, 'db'>): Catalogue {
  const known = new LRUCache<string, Entry>({ max: remembered });
  const reading = new Map<string, Promise<Map<string, CatalogueProduct>>>();

  async function read(ids: readonly string[]): Promise<Map<string, CatalogueProduct>> {
    const products = mongo.db().collection<ProductDocument>('products');
    const _id = { $in: ids.map((id) => new driver.ObjectId(id)) };
    const documents = await withDeadline(products.find({ _id }, { projection }).toArray());
    return new Map(
      documents.map(({ _id, ...rest }) => {
        const id = _id.toHexString();
        return [id, { id, ...rest }];
      }),
    );
  }

  function startReading(ids: readonly string[]): void {
    const found = read(ids).then((products) => {
      for (const id of ids) {
        // Forgotten meanwhile: what was read may be what turned out to be wrong.
        if (reading.get(id) !== found) continue;
        const product = products.get(id);
        known.set(id, product ?? none, { ttl: product ? foundTtlMs : missingTtlMs });
      }
      return products;
    });
    for (const id of ids) reading.set(id, found);
    const forgetRead = () => {
      for (const id of ids) if (reading.get(id) === found) reading.delete(id);
    };
    found.then(forgetRead, forgetRead);
  }

  return {
    find: async (productIds) => {
      const result = new Map<string, CatalogueProduct>();
      const waiting: string[] = [];
      for (const id of new Set(productIds)) {
        const entry = known.get(id);
        if (entry === undefined) waiting.push(id);
        else if (entry !== none) result.set(id, entry);
      }
      const unread = waiting.filter((id) => !reading.has(id));
      if (unread.length > 0) startReading(unread);
      // The promises are taken now: a read that ends takes itself off the list.
      const reads = waiting.map((id) => ({ id, products: reading.get(id) }));
      for (const { id, products } of reads) {
        const product = (await products)?.get(id);
        if (product) result.set(id, product);
      }
      return result;
    },
    forget: (productId) => {
      known.delete(productId);
      reading.delete(productId);
    },
  };
}
