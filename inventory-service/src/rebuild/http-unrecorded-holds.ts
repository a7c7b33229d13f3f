import { z } from 'zod';
import { AppError, unavailable } from '@quicksale/shared/errors';
import type { UnrecordedHolds } from './unrecorded-holds.ts';

/** Well within a lease. */
const limitMs = 5_000;
const answered = z.object({ holds: z.number(), recorded: z.number() });

/** order-service behind its admin port. */
export function createHttpUnrecordedHolds(options: {
  url: string;
  internalKey: string;
}): UnrecordedHolds {
  async function post(saleId: string): Promise<{ status: number; body: unknown }> {
    try {
      const answer = await fetch(new URL(`/internal/sales/${saleId}/record`, options.url), {
        method: 'POST',
        redirect: 'error',
        headers: { 'x-internal-key': options.internalKey },
        signal: AbortSignal.timeout(limitMs),
      });
      return { status: answer.status, body: await answer.json() };
    } catch (error) {
      throw unavailable('Orders cannot be recorded right now', error);
    }
  }

  return {
    record: async (saleId) => {
      const { status, body } = await post(saleId);
      if (status === 200) return answered.parse(body);
      const cause = new Error(`order-service answered ${status}`);
      if (status >= 500) throw unavailable('Orders cannot be recorded right now', cause);
      throw new AppError('internal', { cause });
    },
  };
}
