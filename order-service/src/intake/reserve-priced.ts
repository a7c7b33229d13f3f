import { faultPoint } from '@quicksale/shared/process';
import type { DiscountTaken, Pricing, TakenUse } from '../pricing/pricing.ts';
import { namedByKey } from './replay-order.ts';
import {
  isLedgerRefusal,
  reserveOrder,
  type ReserveOrderDeps,
  type ReserveOrderResult,
  type WantedOrder,
} from './reserve-order.ts';

export interface ReservePricedDeps extends ReserveOrderDeps {
  pricing: Pick<Pricing, 'takeDiscount' | 'giveBack'>;
}

export type ReservePricedResult =
  ReserveOrderResult | Exclude<DiscountTaken, { status: 'taken' | 'key_reused' }>;

/**
 * A use that was taken longer ago than this is not reserved with any more: after a much longer time
 * the sweep takes it for one that nobody wants. A process may have been stopped in between.
 */
const freshMs = 30_000;

/**
 * Makes an order for which a discount may have been asked: its use is taken before the ledger is
 * asked, and given back when the ledger says no. When it is not known what the ledger did, the use
 * stays: a repeat with the same key finds it, or the sweep does.
 */
export async function reservePriced(
  deps: ReservePricedDeps,
  wanted: WantedOrder,
  code: string | undefined,
): Promise<ReservePricedResult> {
  if (code === undefined) return reserveOrder(deps, wanted);
  const { key, facts, saleId, userId } = wanted;
  // A key that names an order takes no second use, whatever became of the order and of its code.
  const [known] = await deps.orders.findRelated({ ids: [], digests: [key.digest], units: [] });
  if (known) return namedByKey(known, key);
  const taken = await deps.pricing.takeDiscount({
    ...{ code, userId, saleId, id: key.digest, fingerprint: key.fingerprint },
    ...{ merchantId: facts.merchantId ?? '', currency: facts.currency },
  });
  if (taken.status !== 'taken') return taken;
  faultPoint('after-discount-taken');
  if (deps.clock.now() - taken.takenAtMs > freshMs) return { status: 'not_recorded' };
  const { pricing: _undiscounted, ...otherFacts } = facts;
  const result = await reserveOrder(deps, {
    ...wanted,
    facts: { ...otherFacts, ...(taken.terms && { pricing: taken.terms }) },
  });
  // It is certain that this attempt has made no order.
  if (isLedgerRefusal(result.status) || result.status === 'key_reused') await giveBack(deps, taken);
  return result;
}

/** What cannot be given back now is left to the sweep: the buyer is told why there is no order. */
async function giveBack({ pricing, log }: ReservePricedDeps, taken: TakenUse): Promise<void> {
  try {
    await pricing.giveBack(taken);
  } catch (error) {
    log.debug({ err: error }, 'a use of a discount comes back later');
  }
}
