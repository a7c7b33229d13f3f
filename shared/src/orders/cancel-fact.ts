import type { CancelFact } from './facts.ts';
import {
  announced,
  isCause,
  isPaid,
  pick,
  type DecidableOrder,
  type FactOutcome,
} from './order-step.ts';
import { mayBecome, type UnitCount } from './order.ts';

/** Gives the order up, or some of its units. */
export function applyCancel(order: DecidableOrder, fact: CancelFact): FactOutcome {
  if (isCause(order, fact.cause)) return { kind: 'already' };
  if (order.status === 'CANCELLED') return { kind: 'already' };
  if (!mayBecome(order.status, 'CANCELLED')) return { kind: 'impossible' };
  const owned = order.units ?? [];
  const release = fact.units ? highestOf(owned, fact.units) : owned;
  if (!release) return { kind: 'impossible' };
  const isWhole = release.length === owned.length;
  const entry = {
    by: fact.by,
    ...(fact.reason && { reason: fact.reason }),
    ...(fact.cause && { cause: fact.cause }),
    ...(fact.fingerprint && { fingerprint: fact.fingerprint }),
  };
  const money = isPaid(order.paymentStatus) && { repay: true };
  if (isWhole) {
    const over = { ...pick(order), status: 'CANCELLED', inventoryStatus: 'RELEASED' } as const;
    return announced(order, { state: over, at: fact.at, entry, release, ...money });
  }
  // Where nobody has paid there is nothing to give back: the order just costs less.
  const wasPaid = order.paymentStatus === 'PAID';
  return announced(order, {
    state: { ...pick(order), ...(wasPaid && { paymentStatus: 'PARTIALLY_REFUNDED' }) },
    at: fact.at,
    entry: { ...entry, cancelled: fact.units ?? [] },
    release,
    keepsUnits: true,
    ...money,
  });
}

/** The units with the highest numbers; undefined when the order has not so many. */
function highestOf(
  owned: readonly string[],
  wanted: readonly UnitCount[],
): readonly string[] | undefined {
  const chosen: string[] = [];
  for (const { productId, quantity } of wanted) {
    const ofProduct = owned
      .map((name) => ({ name, product: name.split(':')[1], number: Number(name.split(':')[2]) }))
      .filter(({ product }) => product === productId)
      .sort((a, b) => b.number - a.number);
    if (ofProduct.length < quantity) return undefined;
    chosen.push(...ofProduct.slice(0, quantity).map(({ name }) => name));
  }
  return chosen;
}
