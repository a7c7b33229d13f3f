import type { Hold, RecordingOutcome } from './record-holds.ts';

export interface GroupRecorder {
  /** Records a hold together with whatever else is waiting; rejects when the outcome is unknown. */
  record(hold: Hold): Promise<RecordingOutcome>;
  /** Resolves when nothing is waiting or under way. */
  drain(): Promise<void>;
}

interface Waiting {
  hold: Hold;
  resolve: (outcome: RecordingOutcome) => void;
  reject: (error: unknown) => void;
}

/**
 * Group commit: holds that arrive while an insert is under way go into the next one, so inserts get
 * as large as the load asks for and a lone order waits for nobody.
 */
export function createGroupRecorder(options: {
  record: (holds: readonly Hold[]) => Promise<RecordingOutcome[]>;
  largestBatch: number;
  /** Each unit is an entry of a unique index: a few large orders weigh as much as many small ones. */
  mostUnits: number;
  inFlightLimit: number;
}): GroupRecorder {
  const waiting: Waiting[] = [];
  const running = new Set<Promise<void>>();

  function startBatches(): void {
    while (waiting.length > 0 && running.size < options.inFlightLimit) {
      const batch: Promise<void> = runBatch(takeBatch()).finally(() => {
        running.delete(batch);
        startBatches();
      });
      running.add(batch);
    }
  }

  function takeBatch(): Waiting[] {
    let units = 0;
    let size = 0;
    for (const { hold } of waiting.slice(0, options.largestBatch)) {
      units += Object.values(hold.record.units).reduce((sum, numbers) => sum + numbers.length, 0);
      if (size > 0 && units > options.mostUnits) break;
      size += 1;
    }
    return waiting.splice(0, size);
  }

  async function runBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await options.record(batch.map(({ hold }) => hold));
      batch.forEach(({ resolve }, index) => {
        resolve(outcomes[index] ?? { kind: 'not-recorded' });
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return {
    record: (hold) =>
      new Promise((resolve, reject) => {
        waiting.push({ hold, resolve, reject });
        startBatches();
      }),
    drain: async () => {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
