/** Places where a test may have a process die, in the order of the steps they stand behind. */
export const faultPoints = [
  'after-request',
  'after-discount-taken',
  'after-reserve',
  'after-insert-sent',
  'after-insert',
  'after-answer',
  'after-created-sent',
  'after-result-sent',
  'after-checkout-planned',
  'after-checkout-ordered',
  'after-checkout-cleared',
  'after-status-written',
  'after-cancel-written',
  'after-pay-written',
  'after-fulfil-written',
  'after-refund-written',
  'after-charge',
  'after-capture-written',
  'after-refund-entry',
  'after-refund-sent',
  'after-release',
  'after-release-finished',
  'after-movement-written',
  'after-notification-stored',
  'after-sale-written',
  'after-sale-claimed',
  'after-sale-put',
  'after-marked-away',
  'after-round-written',
  'after-round-moved',
  'after-round-closed',
  'after-product-moved',
  'after-claim-dropped',
  'after-house-reserve',
  'after-house-record',
  'after-house-ship',
  'after-house-movement',
  'after-expiry-claimed',
  'after-expiry-written',
  'after-rebuild-begun',
  'after-rebuild-cleared',
  'after-rebuild-written',
] as const;
export type FaultPoint = (typeof faultPoints)[number];

let armed: FaultPoint | undefined;

/** From now on the process dies as soon as it gets to this point. */
export function armFaultPoint(point: FaultPoint | undefined): void {
  armed = point;
}

/** Dies here, as by kill -9, when this point is armed: nothing is flushed, closed or said. */
export function faultPoint(point: FaultPoint): void {
  if (point === armed) process.kill(process.pid, 'SIGKILL');
}

/**
 * Dies a moment later, when this point is armed: what has begun goes on, and whoever awaits the answer
 * does nothing more. Undefined when it is not armed.
 */
export function faultPointSoon(point: FaultPoint, delayMs: number): Promise<never> | undefined {
  if (point !== armed) return undefined;
  setTimeout(() => faultPoint(point), delayMs);
  return new Promise(() => undefined);
}
