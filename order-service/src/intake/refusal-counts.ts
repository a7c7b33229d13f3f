import type { Logger } from '@quicksale/shared/log';
import type { Mongo } from '@quicksale/shared/mongo';
import { withDeadline } from '@quicksale/shared/mongo';

/** Refusals by reason and sale, added to what is known of them. */
export type SaveRefusals = (
  counts: ReadonlyMap<string, ReadonlyMap<string, number>>,
) => Promise<void>;

export interface RefusalCounts {
  note(saleId: string, reason: string): void;
  /** Adds what was counted since the last time; one call at a time. */
  flush(): Promise<void>;
}

/** More sales than this at once are counted in no case: memory stays bounded. */
const mostSales = 1_000;

/**
 * Counts refused orders for the books of their sale. Losers store nothing in the ledger, so they are
 * counted here and written once a second and at stop: a crash loses at most a second of counts, and
 * a write whose answer was lost may be counted twice. Nothing depends on them.
 */
export function createRefusalCounts(save: SaveRefusals, log: Logger): RefusalCounts {
  let counts = new Map<string, Map<string, number>>();

  function add(saleId: string, reason: string, count: number): void {
    const ofSale = counts.get(saleId) ?? new Map<string, number>();
    if (!counts.has(saleId)) {
      if (counts.size >= mostSales) return;
      counts.set(saleId, ofSale);
    }
    ofSale.set(reason, (ofSale.get(reason) ?? 0) + count);
  }

  return {
    note: (saleId, reason) => add(saleId, reason, 1),
    flush: async () => {
      if (counts.size === 0) return;
      const taken = counts;
      counts = new Map();
      try {
        await save(taken);
      } catch (error) {
        for (const [saleId, ofSale] of taken)
          for (const [reason, count] of ofSale) add(saleId, reason, count);
        log.debug({ err: error }, 'refusals are counted later');
      }
    },
  };
}

/** Adds to the collection `sale-refusals`, which inventory-service reads for its audit. */
export function createMongoRefusals(mongo: Mongo): SaveRefusals {
  return async (counts) => {
    const refusals = mongo
      .db()
      .collection<{ _id: string; counts: Record<string, number> }>('sale-refusals');
    await withDeadline(
      refusals.bulkWrite(
        [...counts].map(([saleId, ofSale]) => ({
          updateOne: {
            filter: { _id: saleId },
            update: {
              $inc: Object.fromEntries(
                [...ofSale].map(([reason, count]) => [`counts.${reason}`, count]),
              ),
            },
            upsert: true,
          },
        })),
        { ordered: false },
      ),
    );
  };
}
