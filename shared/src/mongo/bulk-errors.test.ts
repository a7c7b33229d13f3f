import { describe, expect, it } from '@jest/globals';
import { mongo as driver } from 'mongoose';
import { writeErrorsOf } from './bulk-errors.ts';

const result = { getWriteConcernError: () => undefined } as unknown as driver.BulkWriteResult;

describe('errors of a bulk write', () => {
  it('names the documents that failed', () => {
    const writeErrors = [{ index: 3, code: 11000, errmsg: 'duplicate' }] as driver.WriteError[];
    const error = new driver.MongoBulkWriteError(
      { message: 'm', code: 11000, writeErrors },
      result,
    );
    expect(writeErrorsOf(error)).toMatchObject([
      { index: 3, cause: { code: 11000, message: 'duplicate' } },
    ]);
  });

  // This is how the driver hands on what ended a bulk write as a whole.
  const wrapped = (error: driver.AnyError) => new driver.MongoBulkWriteError(error, result);

  it('a lost connection leaves the outcome open, however it is wrapped', () => {
    const lost = new driver.MongoNetworkError('connection closed');
    expect(() => writeErrorsOf(lost)).toThrow('not reachable');
    expect(() => writeErrorsOf(wrapped(lost))).toThrow('not reachable');
    const eof = new driver.MongoServerError({ message: 'unexpected EOF', code: 1 });
    expect(() => writeErrorsOf(wrapped(eof))).toThrow('not reachable');
    for (const code of ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED']) {
      const socket = Object.assign(new Error('This socket has been ended'), { code });
      expect(() => writeErrorsOf(socket)).toThrow('not reachable');
      expect(() => writeErrorsOf(wrapped(socket))).toThrow('not reachable');
    }
  });

  it('a refused command is an error, not a success without failures', () => {
    const refused = new driver.MongoServerError({ message: 'bad value', code: 2 });
    expect(() => writeErrorsOf(wrapped(refused))).toThrow('bad value');
  });

  it('a write that was not confirmed leaves the outcome open', () => {
    const unconfirmed = { getWriteConcernError: () => ({}) } as unknown as driver.BulkWriteResult;
    const error = new driver.MongoBulkWriteError({ message: 'm', code: 64 }, unconfirmed);
    expect(() => writeErrorsOf(error)).toThrow('did not confirm');
  });
});
