import { Schema, Types } from 'mongoose';
import { createIndexes, translateMongoError, type Mongo } from '@quicksale/shared/mongo';
import type { Session, SessionStore } from './session.ts';

interface SessionDocument {
  _id: Types.ObjectId;
  userId: Types.ObjectId;
  sealKey: string;
  currentHash: string;
  rotation?: { fromHash: string; salt: string; at: Date } | null;
  createdAt: Date;
  expiresAt: Date;
  revoked: boolean;
}

const text = { type: String, required: true } as const;
const date = { type: Date, required: true } as const;

const rotationSchema = new Schema(
  { fromHash: text, salt: text, at: date },
  { strict: 'throw', _id: false },
);

const sessionSchema = new Schema<SessionDocument>(
  {
    userId: { type: Schema.Types.ObjectId, required: true },
    sealKey: text,
    currentHash: text,
    rotation: rotationSchema,
    createdAt: date,
    expiresAt: date,
    revoked: { type: Boolean, required: true },
  },
  { strict: 'throw', versionKey: false, collection: 'sessions' },
);

/** Sessions in MongoDB; every write is one document by its _id. Throws `dependency-unavailable`. */
export function createMongoSessionStore(mongo: Mongo): SessionStore & { prepare(): Promise<void> } {
  const sessions = mongo.connection.model('Session', sessionSchema);

  return {
    prepare: () =>
      createIndexes(mongo.db(), 'sessions', [
        { key: { expiresAt: 1 }, name: 'expiresAt_1', expireAfterSeconds: 0 },
      ]),
    add: async (session) => {
      await sessions.create(toDocument(session)).catch(refuse);
    },
    find: async (id) => {
      const found = await sessions.findById(id).lean<SessionDocument>().catch(refuse);
      return found ? toSession(found) : undefined;
    },
    rotate: async ({ sessionId, fromHash, toHash, salt, atMs, expiresAtMs }) => {
      const rotation = { fromHash, salt: encode(salt), at: new Date(atMs) };
      const rotated = await sessions
        .findOneAndUpdate(
          { _id: new Types.ObjectId(sessionId), currentHash: fromHash, revoked: false },
          { $set: { currentHash: toHash, rotation, expiresAt: new Date(expiresAtMs) } },
        )
        .lean()
        .catch(refuse);
      return rotated !== null;
    },
    revoke: async (id) => {
      await sessions
        .updateOne({ _id: new Types.ObjectId(id) }, { $set: { revoked: true } })
        .catch(refuse);
    },
  };
}

function refuse(error: unknown): never {
  throw translateMongoError(error);
}

const encode = (bytes: Buffer) => bytes.toString('base64url');
const decode = (written: string) => Buffer.from(written, 'base64url');

const toDocument = (session: Session) => ({
  _id: new Types.ObjectId(session.id),
  userId: new Types.ObjectId(session.userId),
  sealKey: encode(session.sealKey),
  currentHash: session.currentHash,
  createdAt: new Date(session.createdAtMs),
  expiresAt: new Date(session.expiresAtMs),
  revoked: session.revoked,
});

const toSession = (document: SessionDocument): Session => ({
  id: document._id.toHexString(),
  userId: document.userId.toHexString(),
  sealKey: decode(document.sealKey),
  currentHash: document.currentHash,
  rotation: document.rotation
    ? {
        fromHash: document.rotation.fromHash,
        salt: decode(document.rotation.salt),
        atMs: document.rotation.at.getTime(),
      }
    : undefined,
  createdAtMs: document.createdAt.getTime(),
  expiresAtMs: document.expiresAt.getTime(),
  revoked: document.revoked,
});
