import { callMongo, type Mongo, tryInsert } from '@quicksale/shared/mongo';
import {
  unsetSettings,
  type MerchantSettings,
  type MerchantSettingsStore,
} from './merchant-settings.ts';

type SettingsDocument = Omit<MerchantSettings, 'merchantId'> & { _id: string };

/** Collection `merchant-settings`, one document per merchant. */
export function createMongoMerchantSettings(mongo: Pick<Mongo, 'db'>): MerchantSettingsStore {
  const settings = () => mongo.db().collection<SettingsDocument>('merchant-settings');
  return {
    read: async (merchantId) => {
      const found = await callMongo(() => settings().findOne({ _id: merchantId }));
      if (!found) return unsetSettings(merchantId);
      const { _id, ...rest } = found;
      return { merchantId: _id, ...rest };
    },
    write: async ({ merchantId, ...rest }) => {
      if (rest.version === 1)
        return tryInsert(() => settings().insertOne({ _id: merchantId, ...rest }));
      const before = { _id: merchantId, version: rest.version - 1 };
      // Whole: a `freeFrom` that is gone must not stay.
      const { matchedCount } = await callMongo(() => settings().replaceOne(before, rest));
      return matchedCount === 1;
    },
  };
}
