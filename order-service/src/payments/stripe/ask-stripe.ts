import type Stripe from 'stripe';
import { AppError, unavailable } from '@quicksale/shared/errors';
import type { Logger } from '@quicksale/shared/log';
import { loadStripe } from './load-stripe.ts';

/** What Stripe says no to: a card, or a request that does not fit how things are. */
export type Refusal = InstanceType<
  typeof Stripe.errors.StripeCardError | typeof Stripe.errors.StripeInvalidRequestError
>;

/**
 * Awaits one call. Throws `dependency-unavailable` where its outcome is unknown. A refusal goes to
 * `refused`, whose result stands for the answer; one that it knows nothing about is a defect.
 */
export type AskStripe = <T>(
  call: () => Promise<T>,
  refused?: (refusal: Refusal) => T | Promise<T> | undefined,
) => Promise<T>;

export function createAskStripe(options: {
  secretKey: string;
  timeoutMs: number;
  log: Logger;
}): AskStripe {
  const { secretKey, timeoutMs, log } = options;
  const { errors } = loadStripe();
  /** For the log: no headers, no bodies, and whatever Stripe repeats of the key is struck out. */
  const causeOf = (error: Error) => {
    const { name, message, code } = error as Error & { code?: string };
    const text = `${name}: ${message}`.replaceAll(secretKey, '[redacted]');
    return Object.assign(new Error(text.replace(/\b[sr]k_\S+/g, '[redacted]')), { code });
  };

  return async (call, refused) => {
    try {
      return await withinLimit(call, timeoutMs);
    } catch (error) {
      if (!(error instanceof errors.StripeError)) throw error;
      const cause = causeOf(error);
      const { type, code, statusCode, requestId } = error;
      switch (type) {
        case 'StripeCardError':
        case 'StripeInvalidRequestError': {
          const answer = await refused?.(error);
          if (answer !== undefined) return answer;
          throw new AppError('internal', { cause });
        }
        // The same key with other content: whoever chose the key is at fault.
        case 'StripeIdempotencyError':
          throw new AppError('internal', { cause });
        case 'StripeAuthenticationError':
        case 'StripePermissionError':
          log.error({ code, statusCode, requestId }, 'Stripe does not accept STRIPE_SECRET_KEY');
          throw unavailable('Payments are not possible at the moment', cause);
        default:
          throw unavailable('The payment provider does not answer', cause);
      }
    }
  };
}

/** The SDK's own limit counts silence only: an answer that drips would be waited for for ever. */
async function withinLimit<T>(call: () => Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = new (loadStripe().errors.StripeConnectionError)({
      message: `No answer in ${limitMs} ms`,
    });
    timer = setTimeout(() => reject(error), limitMs);
  });
  try {
    return await Promise.race([call(), late]);
  } finally {
    clearTimeout(timer);
  }
}
