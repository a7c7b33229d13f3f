import type { Logger } from '@quicksale/shared/log';
import { orderFromHold, type Order } from '@quicksale/shared/orders';
import type { GroupRecorder } from './group-recorder.ts';
import type { Hold } from './record-holds.ts';

export interface EarlyAnswers {
  /**
   * Has the order of a fast sale written in the background: its buyer may be told yes now. False when
   * too many are being written already: then the buyer waits for the insert as in any other sale.
   */
  recordLater(hold: Hold): boolean;
  /** An order that was answered here and is not known to be in MongoDB; for its buyer alone. */
  find(userId: string, orderId: string): Order | undefined;
  /** Brings such an order into MongoDB first; false when there is none, or it did not get in. */
  complete(userId: string, orderId: string): Promise<boolean>;
}

/** Beyond these the database is slower than intake: buyers are made to wait, not memory. */
const mostUnderWay = 5_000;
const mostRemembered = 10_000;

/**
 * The yes of fast sales. A buyer is answered as soon as the ledger has the hold on disk, and the order
 * follows by the same recording that all others take; what this process cannot write, or dies with,
 * is unrecorded in the ledger and found by the sweep. The price: an order that only the ledger knew is
 * lost if the ledger's disk is, although its buyer was told yes; its unit may then be another's. And
 * a key is good for 24 hours there: a later repeat is an order of its own.
 */
export function createEarlyAnswers(deps: {
  recorder: Pick<GroupRecorder, 'record'>;
  log: Logger;
}): EarlyAnswers {
  /** Oldest first. */
  const answered = new Map<string, Hold>();
  let underWay = 0;

  function remember(hold: Hold): void {
    answered.set(hold.record.orderId, hold);
    const [oldest] = answered.keys();
    if (answered.size > mostRemembered && oldest !== undefined) answered.delete(oldest);
  }

  async function record(hold: Hold): Promise<boolean> {
    const outcome = await deps.recorder.record(hold);
    if (outcome.kind === 'recorded') answered.delete(hold.record.orderId);
    else {
      const { orderId } = hold.record;
      const err = outcome.kind === 'refused' ? outcome.cause : undefined;
      deps.log.error({ orderId, outcome: outcome.kind, err }, 'an answered order is not written');
    }
    return outcome.kind === 'recorded';
  }

  async function recordInBackground(hold: Hold): Promise<void> {
    underWay += 1;
    try {
      await record(hold);
    } catch (error) {
      // It stays unrecorded, and the sweep comes for it.
      deps.log.debug({ err: error, orderId: hold.record.orderId }, 'an order is written later');
    } finally {
      underWay -= 1;
    }
  }

  function ownHold(userId: string, orderId: string): Hold | undefined {
    const hold = answered.get(orderId);
    return hold?.record.userId === userId ? hold : undefined;
  }

  return {
    recordLater: (hold) => {
      if (answered.has(hold.record.orderId)) return true;
      if (underWay >= mostUnderWay) return false;
      remember(hold);
      void recordInBackground(hold);
      return true;
    },
    find: (userId, orderId) => {
      const hold = ownHold(userId, orderId);
      return hold && orderFromHold(hold.record, hold.saleId);
    },
    complete: async (userId, orderId) => {
      const hold = ownHold(userId, orderId);
      return hold !== undefined && record(hold);
    },
  };
}
