import type { Principal } from '@quicksale/shared/auth';
import { AppError } from '@quicksale/shared/errors';

/** The merchant that a request is about: whoever asks, or the one whom an administrator names. */
export function merchantOf(principal: Principal, merchantId: string | undefined): string {
  if (principal.role === 'ADMIN') {
    if (merchantId) return merchantId;
    throw new AppError('validation-failed', {
      message: 'The query is not valid',
      errors: [
        { pointer: '/query/merchantId', message: 'an administrator says of which merchant' },
      ],
    });
  }
  if (merchantId && merchantId !== principal.userId) throw new AppError('not-found');
  return principal.userId;
}
