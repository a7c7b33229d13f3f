import { AppError, unavailable } from '@quicksale/shared/errors';
import type { LedgerRefusal } from '@quicksale/shared/stock-ledger';

/** Lets a change of the ledger pass that is done, now or before; throws why it is not. */
export function requireDone(answer: 'put' | 'already' | 'raised' | LedgerRefusal): void {
  switch (answer) {
    case 'put':
    case 'raised':
    case 'already':
      return;
    case 'fenced':
      throw new AppError('sale-fenced');
    case 'not_admitted':
      throw unavailable('The stock ledger is being checked');
    default:
      return answer satisfies never;
  }
}
