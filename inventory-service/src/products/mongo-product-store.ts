import mongoose from 'mongoose';
import { callMongo, createIndexes, insertOrFind, type Mongo } from '@quicksale/shared/mongo';
import { currentPrice, formerSalesAt, type Product } from './product.ts';
import type { ProductStore } from './product-store.ts';

type ProductDocument = Omit<Product, 'id'> & { _id: mongoose.Types.ObjectId };

const collectionName = 'products';
const required = true;

const schema = new mongoose.Schema<ProductDocument>(
  {
    _id: { type: mongoose.Schema.Types.ObjectId, required },
    merchantId: { type: String, required },
    saleId: { type: String, required },
    saleChangedAt: { type: Date, required },
    formerSales: {
      type: [{ _id: false, saleId: { type: String, required }, leftAt: { type: Date, required } }],
      default: undefined,
    },
    claimedBy: { type: String },
    salePrice: { type: Number },
    sku: { type: String, required },
    name: { type: String, required },
    // Mongoose takes an empty text for a missing one.
    description: { type: String, default: '' },
    category: { type: String, required },
    price: { type: Number, required },
    originalPrice: { type: Number },
    currency: { type: String, required },
    archived: { type: Boolean, required },
    initialStock: { type: Number, required },
    pendingSince: { type: Date },
    version: { type: Number, required },
    createdAt: { type: Date, required },
    updatedAt: { type: Date, required },
  },
  { strict: 'throw', versionKey: false, collection: collectionName },
);

export function createProductIndexes(mongo: Mongo): Promise<void> {
  return createIndexes(mongo.db(), collectionName, [
    { key: { merchantId: 1, sku: 1 }, name: 'merchantId_1_sku_1', unique: true },
    { key: { saleId: 1, _id: 1 }, name: 'saleId_1__id_1' },
    { key: { updatedAt: 1 }, name: 'updatedAt_1' },
    {
      key: { pendingSince: 1 },
      name: 'pendingSince_1',
      partialFilterExpression: { pendingSince: { $exists: true } },
    },
  ]);
}

export function createMongoProductStore(mongo: Mongo): ProductStore {
  const products = mongo.connection.model('Product', schema);

  async function listed(filter: mongoose.QueryFilter<ProductDocument>) {
    const fields = { saleId: 1, name: 1, category: 1, price: 1, salePrice: 1, archived: 1 };
    const found = await callMongo(() => products.find(filter, fields).batchSize(5_000).lean());
    return found.map(({ _id, saleId, name, category, archived, ...prices }) => ({
      id: _id.toHexString(),
      saleId,
      name,
      category,
      price: currentPrice(prices),
      archived,
    }));
  }

  return {
    insert: async (product) => {
      const { merchantId, sku } = product;
      const rival = await insertOrFind({
        insert: () => products.create(toDocument(product)),
        findRival: () => products.findOne({ merchantId, sku }, { _id: 1 }).lean(),
      });
      const id = rival?._id.toHexString() ?? product.id;
      return id === product.id ? 'inserted' : { skuTakenBy: id };
    },

    findById: async (id) => {
      const found = await callMongo(() => products.findById(id).lean());
      return found ? fromDocument(found) : undefined;
    },

    findByIds: async (ids) => {
      const _id = mongoose.trusted({ $in: [...ids] });
      return (await callMongo(() => products.find({ _id }).lean())).map(fromDocument);
    },

    listShown: () => listed({ archived: false }),
    listChangedSince: (at) => listed({ updatedAt: mongoose.trusted({ $gte: at }) }),

    raiseVersion: async (id, at) => {
      const risen = await callMongo(() =>
        products
          .findOneAndUpdate(
            { _id: id, archived: false },
            { $inc: { version: 1 }, $set: { updatedAt: at } },
            { returnDocument: 'after' },
          )
          .lean(),
      );
      return risen ? fromDocument(risen) : undefined;
    },

    change: async ({ id, version }, { originalPrice, ...change }, at) => {
      const changed = await callMongo(() =>
        products
          .findOneAndUpdate(
            { _id: id, version, archived: false },
            {
              $inc: { version: 1 },
              $set: {
                ...change,
                updatedAt: at,
                ...(typeof originalPrice === 'number' && { originalPrice }),
              },
              ...(originalPrice === null && { $unset: { originalPrice: '' } }),
            },
            { returnDocument: 'after' },
          )
          .lean(),
      );
      return changed ? fromDocument(changed) : undefined;
    },

    listLines: async (merchantId) => {
      const fields = { price: 1, claimedBy: 1 };
      const found = await callMongo(() => products.find({ merchantId }, fields).lean());
      return found.map(({ _id, price, claimedBy }) => ({
        productId: _id.toHexString(),
        price,
        away: claimedBy !== undefined,
      }));
    },

    claim: async (id, saleId, at) => {
      await callMongo(() =>
        products.updateOne(
          { _id: id, archived: false, claimedBy: mongoose.trusted({ $exists: false }) },
          { $set: { claimedBy: saleId, updatedAt: at }, $inc: { version: 1 } },
        ),
      );
      const found = await callMongo(() => products.findById(id, { claimedBy: 1 }).lean());
      return found?.claimedBy === saleId ? 'claimed' : 'taken';
    },

    dropClaim: async ({ id, version }, at) => {
      await callMongo(() =>
        products.updateOne(
          { _id: id, version },
          { $unset: { claimedBy: '' }, $set: { updatedAt: at }, $inc: { version: 1 } },
        ),
      );
    },

    moveToSale: async (product, { saleId, salePrice }, at) => {
      const left =
        product.saleId === saleId
          ? {}
          : { saleId, saleChangedAt: at, formerSales: formerSalesAt(product, at) };
      const { matchedCount } = await callMongo(() =>
        products.updateOne(
          { _id: product.id, version: product.version },
          {
            $set: { ...left, updatedAt: at, ...(salePrice !== undefined && { salePrice }) },
            ...(salePrice === undefined && { $unset: { salePrice: '' } }),
            $inc: { version: 1 },
          },
        ),
      );
      return matchedCount === 1;
    },

    findPending: async (before, limit) => {
      // The partial index serves only filters that repeat its condition.
      const pendingSince = mongoose.trusted({ $exists: true, $lte: before });
      return (await callMongo(() => products.find({ pendingSince }).limit(limit).lean())).map(
        fromDocument,
      );
    },

    markFinished: async ({ id, version }) => {
      await callMongo(() =>
        products.updateOne({ _id: id, version }, { $unset: { pendingSince: '' } }),
      );
    },
  };
}

function toDocument({ id, ...rest }: Product): ProductDocument {
  return { _id: new mongoose.Types.ObjectId(id), ...rest };
}

function fromDocument({ _id, ...rest }: ProductDocument): Product {
  return { id: _id.toHexString(), ...rest };
}
