import { unavailable } from '../errors/index.ts';
import { operationLimitMs } from './connect-mongo.ts';
import { translateMongoError } from './duplicate-key.ts';

/**
 * An operation with the deadline of the order path; the driver itself has none. Rejects with
 * `dependency-unavailable` when the server is away or too slow: the outcome is then unknown, and the
 * write may still arrive.
 */
export async function withDeadline<T>(operation: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(unavailable('The database did not answer in time')),
      operationLimitMs,
    );
  });
  try {
    return await Promise.race([operation, late]);
  } catch (error) {
    throw translateMongoError(error);
  } finally {
    clearTimeout(timer);
  }
}
