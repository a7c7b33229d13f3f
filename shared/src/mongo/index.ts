export { writeErrorsOf, type DocumentError } from './bulk-errors.ts';
export { callMongo, insertOrFind, tryInsert } from './call-mongo.ts';
export { connectMongo, type Db, type Mongo } from './connect-mongo.ts';
export { createIndexes } from './create-indexes.ts';
export { isDuplicateOrLostRace, isMongoUnavailable, translateMongoError } from './duplicate-key.ts';
export { withDeadline } from './with-deadline.ts';
