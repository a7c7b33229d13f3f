import type { Operation } from './history.ts';
import type { InjectedFault } from './nemesis/nemesis.ts';

/**
 * From the end of each fault until the first success on the road that it had closed: a new order that
 * was asked for after the fault, or, behind a fault that orders do not meet, one that is confirmed.
 */
export function recoveryTimes(
  history: readonly Operation[],
  faults: readonly InjectedFault[],
): number[] {
  const accepted = history.filter(({ type, outcome }) => type === 'place' && outcome === 'ok');
  const placedAt = new Map(accepted.map(({ orderId, invokedAt }) => [orderId, invokedAt]));
  const confirmed = history
    .filter(({ told, type }) => type === 'read' && told && told.status !== 'PENDING')
    .map(({ orderId, endedAt }) => ({ from: placedAt.get(orderId) ?? -1, endedAt }));
  const roads = {
    place: accepted.map(({ invokedAt, endedAt }) => ({ from: invokedAt, endedAt })),
    confirm: confirmed,
  };
  return faults.flatMap(({ affects, endedAt: end, skipped }) => {
    if (skipped) return [];
    const after = roads[affects].filter(({ from }) => from >= end);
    return after.length > 0 ? [Math.min(...after.map(({ endedAt }) => endedAt)) - end] : [];
  });
}
