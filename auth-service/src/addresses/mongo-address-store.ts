import { Schema, Types } from 'mongoose';
import { unavailable } from '@quicksale/shared/errors';
import { isDuplicateOrLostRace, translateMongoError, type Mongo } from '@quicksale/shared/mongo';
import type { AddressBook, AddressStore, KeptAddress } from './address-book.ts';

/** Of one user: found by its _id, so it needs no other index. */
interface AddressBookDocument {
  _id: Types.ObjectId;
  version: number;
  addresses: KeptAddress[];
}

const text = { type: String } as const;
const required = { type: String, required: true } as const;

const keptAddress = new Schema<KeptAddress>(
  {
    ...{ id: required, label: text, name: text, line1: required, line2: text },
    ...{ city: required, region: text, postalCode: required, country: required },
  },
  { strict: 'throw', _id: false, id: false },
);

const addressBookSchema = new Schema<AddressBookDocument>(
  { version: { type: Number, required: true }, addresses: [keptAddress] },
  { strict: 'throw', versionKey: false, collection: 'addressBooks' },
);

/** More writers than this at one moment have no honest reason. */
const writeTries = 40;

/**
 * Address books in MongoDB, a document for each user: its version is compared with each write, so
 * that no change is lost and the limit holds, however many come at once.
 */
export function createMongoAddressStore(mongo: Mongo): AddressStore {
  const books = mongo.connection.model('AddressBook', addressBookSchema);
  const find = (userId: string) => books.findById(userId).lean<AddressBookDocument>().catch(refuse);

  const write = async (
    userId: string,
    before: AddressBookDocument | null,
    addresses: AddressBook,
  ): Promise<boolean> => {
    const _id = new Types.ObjectId(userId);
    const version = (before?.version ?? 0) + 1;
    try {
      if (!before) await books.create({ _id, version, addresses: [...addresses] });
      else {
        const { matchedCount } = await books.updateOne(
          { _id, version: before.version },
          { $set: { version, addresses: [...addresses] } },
        );
        return matchedCount === 1;
      }
      return true;
    } catch (error) {
      if (isDuplicateOrLostRace(error)) return false;
      throw translateMongoError(error);
    }
  };

  return {
    read: async (userId) => (await find(userId))?.addresses ?? [],
    change: async (userId, decide) => {
      for (let attempt = 1; attempt <= writeTries; attempt += 1) {
        const before = await find(userId);
        if (await write(userId, before, decide(before?.addresses ?? []))) return;
      }
      throw unavailable('The address could not be stored');
    },
  };
}

function refuse(error: unknown): never {
  throw translateMongoError(error);
}
