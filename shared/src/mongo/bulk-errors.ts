import { mongo as driver } from 'mongoose';
import { unavailable } from '../errors/index.ts';
import { isMongoUnavailable, translateMongoError } from './duplicate-key.ts';

/** One document of a bulk write that did not get in, by its place in the batch. */
export interface DocumentError {
  index: number;
  cause: Error;
}

/**
 * The documents of an unordered bulk write that failed; all others are written. Throws when that is
 * not known: the driver wraps a lost connection and a refused command into MongoBulkWriteError as
 * well, with no document named, and then nothing may be taken as written.
 */
export function writeErrorsOf(error: unknown): readonly DocumentError[] {
  if (!(error instanceof driver.MongoBulkWriteError)) throw translateMongoError(error);
  if (error.result.getWriteConcernError())
    throw unavailable('The database did not confirm the write', error);
  const failed = [error.writeErrors].flat();
  if (failed.length === 0) {
    // The wrapper keeps a server's code but not the name of what it wraps.
    if (error.code === undefined) throw unavailable('The database is not reachable', error);
    throw translateMongoError(error);
  }
  return failed.map(({ index, errmsg, code }) => {
    const cause = Object.assign(new Error(errmsg), { code });
    // A server that is going down may report that per document.
    if (isMongoUnavailable(cause)) throw unavailable('The database is not reachable', error);
    return { index, cause };
  });
}
