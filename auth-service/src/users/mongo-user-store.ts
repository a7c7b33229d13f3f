import { Schema, Types } from 'mongoose';
import { roles, type Role } from '@quicksale/shared/contracts';
import { unavailable } from '@quicksale/shared/errors';
import {
  createIndexes,
  isDuplicateOrLostRace,
  translateMongoError,
  type Mongo,
} from '@quicksale/shared/mongo';
import { emailKey, type User, type UserStore } from './user.ts';

interface UserDocument {
  _id: Types.ObjectId;
  email: string;
  emailLower: string;
  firstName: string;
  lastName: string;
  role: Role;
  passwordHash: string;
  createdAt: Date;
}

const text = { type: String, required: true } as const;

const userSchema = new Schema<UserDocument>(
  {
    email: text,
    emailLower: text,
    firstName: text,
    lastName: text,
    role: { ...text, enum: roles },
    passwordHash: text,
    createdAt: { type: Date, required: true },
  },
  { strict: 'throw', versionKey: false, collection: 'users' },
);

const insertTries = 3;

/** Accounts in MongoDB. Throws `dependency-unavailable` while it is away. */
export function createMongoUserStore(mongo: Mongo): UserStore & { prepare(): Promise<void> } {
  const users = mongo.connection.model('User', userSchema);

  const findOne = async (filter: { _id: Types.ObjectId } | { emailLower: string }) => {
    const found = await users.findOne(filter).lean<UserDocument>().catch(refuse);
    return found ? toUser(found) : undefined;
  };
  const findByEmail = (email: string) => findOne({ emailLower: emailKey(email) });

  return {
    prepare: () =>
      createIndexes(mongo.db(), 'users', [
        { key: { emailLower: 1 }, name: 'emailLower_1', unique: true },
      ]),
    findById: (id) => findOne({ _id: new Types.ObjectId(id) }),
    findByEmail,
    add: async (user) => {
      for (let attempt = 1; attempt <= insertTries; attempt += 1) {
        try {
          await users.create(toDocument(user));
          return true;
        } catch (error) {
          if (!isDuplicateOrLostRace(error)) throw translateMongoError(error);
          // A lost race says nothing by itself: what is there now decides.
          const winner = await findByEmail(user.email);
          if (winner) return winner.id === user.id;
        }
      }
      throw unavailable('The account could not be stored');
    },
  };
}

function refuse(error: unknown): never {
  throw translateMongoError(error);
}

const toDocument = ({ id, ...user }: User) => ({
  _id: new Types.ObjectId(id),
  email: user.email,
  emailLower: emailKey(user.email),
  firstName: user.firstName,
  lastName: user.lastName,
  role: user.role,
  passwordHash: user.passwordHash,
  createdAt: user.createdAt,
});

const toUser = (document: UserDocument): User => ({
  id: document._id.toHexString(),
  email: document.email,
  firstName: document.firstName,
  lastName: document.lastName,
  role: document.role,
  passwordHash: document.passwordHash,
  createdAt: document.createdAt,
});
