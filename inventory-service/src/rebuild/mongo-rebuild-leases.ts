import type { Mongo } from '@quicksale/shared/mongo';
import { callMongo, isDuplicateOrLostRace } from '@quicksale/shared/mongo';
import type { Clock } from '@quicksale/shared/process';
import { RebuildStopped, type RebuildLease, type RebuildLeases } from './rebuild-lease.ts';

interface LeaseDocument {
  /** The sale's id. */
  _id: string;
  epoch: number;
  holder: string;
  until: Date;
}

/** The epoch of a sale that was never rebuilt. */
const firstEpoch = 1;
/** So long a sale waits after its rebuilder has died. */
const leaseMs = 6_000;
const renewEveryMs = 1_000;

/**
 * A lease is taken by compare-and-set, and its epoch rises in the same step: of two holders, one of
 * whom slept through the end of its lease, the ledger hears only the later.
 */
export function createMongoRebuildLeases(options: {
  mongo: Mongo;
  clock: Clock;
  /** Names this process. */
  holder: string;
}): RebuildLeases {
  const { mongo, clock, holder } = options;
  const leases = () => mongo.db().collection<LeaseDocument>('ledger-rebuilds');
  const soon = () => new Date(clock.now() + leaseMs);

  async function take(saleId: string): Promise<LeaseDocument | null> {
    try {
      await leases().insertOne({ _id: saleId, epoch: firstEpoch, holder: '', until: new Date(0) });
    } catch (error) {
      if (!isDuplicateOrLostRace(error)) throw error;
    }
    return leases().findOneAndUpdate(
      { _id: saleId, until: { $lte: new Date(clock.now()) } },
      { $inc: { epoch: 1 }, $set: { holder, until: soon() } },
      { returnDocument: 'after' },
    );
  }

  function held({ _id, epoch }: LeaseDocument): RebuildLease {
    const own = { _id, epoch, holder };
    let renewedAtMs = clock.now();
    return {
      epoch,
      renew: async () => {
        if (clock.now() - renewedAtMs < renewEveryMs) return;
        const atMs = clock.now();
        const { matchedCount } = await callMongo(() =>
          leases().updateOne(own, { $set: { until: soon() } }),
        );
        if (matchedCount === 0) throw new RebuildStopped('somebody else has the lease');
        renewedAtMs = atMs;
      },
      end: async (highest = epoch) => {
        await callMongo(() =>
          leases().updateOne(own, {
            $set: { until: new Date(0), epoch: Math.max(epoch, highest) },
          }),
        );
      },
    };
  }

  return {
    take: async (saleId) => {
      const found = await callMongo(() => leases().findOne({ _id: saleId }));
      // Most of those that come find it taken: they write nothing.
      if (found && found.until.getTime() > clock.now()) return undefined;
      const taken = await callMongo(() => take(saleId));
      return taken ? held(taken) : undefined;
    },
  };
}
