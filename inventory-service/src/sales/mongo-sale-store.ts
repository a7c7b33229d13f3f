import mongoose from 'mongoose';
import { callMongo, insertOrFind, type Mongo } from '@quicksale/shared/mongo';
import type { Sale } from './sale.ts';
import type { SaleStore } from './sale-store.ts';

interface SaleDocument {
  /** 24 hexadecimal digits as text, as orders and events name the sale. */
  _id: string;
  kind: 'standing';
  settingsVersion: number;
  ledgerReady?: boolean;
  putVersion?: number;
  createdAt: Date;
}

const required = true;

const schema = new mongoose.Schema<SaleDocument>(
  {
    _id: { type: String, required },
    kind: { type: String, required, enum: ['standing'] },
    settingsVersion: { type: Number, required },
    ledgerReady: { type: Boolean },
    putVersion: { type: Number },
    createdAt: { type: Date, required },
  },
  { strict: 'throw', versionKey: false, collection: 'sales' },
);

export function createMongoSaleStore(mongo: Mongo): SaleStore {
  const sales = mongo.connection.model('Sale', schema);

  return {
    createStanding: async (merchantId, at) => {
      const find = () => sales.exists({ _id: merchantId });
      if (await callMongo(find)) return;
      const sale = { _id: merchantId, kind: 'standing' as const, settingsVersion: 0 };
      await insertOrFind({
        insert: () => sales.create({ ...sale, createdAt: at }),
        findRival: find,
      });
    },

    find: async (saleId) => {
      const filter = { _id: saleId, kind: 'standing' as const };
      const found = await callMongo(() => sales.findOne(filter).lean());
      return found ? fromDocument(found) : undefined;
    },

    raiseSettingsVersion: async (saleId) => {
      const sale = await callMongo(() =>
        sales
          .findOneAndUpdate(
            { _id: saleId },
            { $inc: { settingsVersion: 1 } },
            { returnDocument: 'after' },
          )
          .lean(),
      );
      if (!sale) throw new Error(`Sale ${saleId} does not exist`);
      return fromDocument(sale);
    },

    markPut: async (saleId, settingsVersion) => {
      const change = { $set: { ledgerReady: true }, $max: { putVersion: settingsVersion } };
      await callMongo(() => sales.updateOne({ _id: saleId }, change));
    },

    listLedgerReady: async () => {
      const found = await callMongo(() =>
        sales.find({ ledgerReady: true }, { _id: 1, putVersion: 1 }).lean(),
      );
      return found.map(({ _id, putVersion = 0 }) => ({ saleId: _id, putVersion }));
    },
  };
}

const fromDocument = ({ _id, kind, settingsVersion, ledgerReady }: SaleDocument): Sale => ({
  id: _id,
  kind,
  settingsVersion,
  ledgerReady: ledgerReady === true,
});
