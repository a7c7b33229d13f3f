import type { Order, OrderStore } from '@quicksale/shared/orders';
import type { Clock } from '@quicksale/shared/process';
import type { KeyLookup, StockLedger } from '@quicksale/shared/stock-ledger';
import type { DiscountUse, DiscountUses } from './discount-uses.ts';

export interface SweepUsesDeps {
  clock: Clock;
  uses: Pick<DiscountUses, 'findDue' | 'drop' | 'reschedule'>;
  orders: Pick<OrderStore, 'findRelated'>;
  ledger: Pick<StockLedger, 'findKeys'>;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/**
 * A use without an order is left alone for so long after its last attempt: far longer than an attempt
 * takes, with clocks that are five minutes off either way.
 */
const abandonedMs = 15 * minuteMs;
/**
 * A ledger forgets a key after a day: from then on it says nothing about an order that could not be
 * written for so long. Such a use is kept.
 */
const keyToldMs = 23 * hourMs;
const batchSize = 200;

export type UseOutcome = 'drop' | 'final' | 'later';

/**
 * What is to become of a use. It comes back when its order has ended without a sale, and when there
 * is no order and the ledgers that may know the key say that there will be none.
 */
export function useOutcome(
  use: Pick<DiscountUse, 'takenAt' | 'fingerprint'>,
  order: Pick<Order, 'status' | 'requestFingerprint'> | undefined,
  lookups: readonly KeyLookup[],
  nowMs: number,
): UseOutcome {
  const ageMs = nowMs - use.takenAt.getTime();
  // The key names an order of another request: none of this one can be made under it.
  const isOthers = order && order.requestFingerprint !== use.fingerprint;
  if (isOthers) return ageMs >= abandonedMs ? 'drop' : 'later';
  if (!order) {
    const isUnknown = lookups.length > 0 && lookups.every((lookup) => lookup === 'unknown');
    return isUnknown && ageMs >= abandonedMs && ageMs < keyToldMs ? 'drop' : 'later';
  }
  switch (order.status) {
    case 'CANCELLED':
    case 'EXPIRED':
    case 'FAILED':
      return 'drop';
    case 'SHIPPED':
    case 'DELIVERED':
    case 'REFUNDED':
      return 'final';
    case 'PENDING':
    case 'AWAITING_PAYMENT':
    case 'CONFIRMED':
    case 'PROCESSING':
      return 'later';
  }
}

/** When to look again: the older it is the later. */
const nextLook = ({ takenAt }: DiscountUse, nowMs: number): Date => {
  const ageMs = nowMs - takenAt.getTime();
  return new Date(nowMs + Math.min(Math.max(ageMs, minuteMs), hourMs));
};

/** Gives back the uses that no order has or can get, and looks no more at those that are final. */
export function createUseSweep(deps: SweepUsesDeps): () => Promise<void> {
  async function sweepBatch(): Promise<number> {
    const nowMs = deps.clock.now();
    const due = await deps.uses.findDue(new Date(nowMs), batchSize);
    if (due.length === 0) return 0;
    // Orders first: a key that its ledger does not know afterwards had no order on its way before.
    const digests = due.map(({ id }) => id);
    const found = await deps.orders.findRelated({ ids: [], digests, units: [] });
    const orders = new Map(found.map((order) => [order.idempotencyDigest, order]));
    const lookups = await lookUp(due.filter(({ id }) => !orders.has(id)));
    const next: { use: DiscountUse; at: Date | undefined }[] = [];
    for (const use of due) {
      const outcome = useOutcome(use, orders.get(use.id), lookups.get(use.id) ?? [], nowMs);
      if (outcome === 'drop') await deps.uses.drop(use);
      else next.push({ use, at: outcome === 'final' ? undefined : nextLook(use, nowMs) });
    }
    await deps.uses.reschedule(next);
    return due.length;
  }

  async function lookUp(uses: readonly DiscountUse[]): Promise<Map<string, KeyLookup[]>> {
    const asked = uses.flatMap(({ id, saleIds }) =>
      saleIds.map((saleId) => ({ saleId, digest: id })),
    );
    const answers = new Map<string, KeyLookup[]>();
    if (asked.length === 0) return answers;
    const found = await deps.ledger.findKeys(asked);
    asked.forEach(({ digest }, index) => {
      const lookup = found[index] ?? 'not_admitted';
      answers.set(digest, [...(answers.get(digest) ?? []), lookup]);
    });
    return answers;
  }

  return async () => {
    while ((await sweepBatch()) === batchSize);
  };
}
