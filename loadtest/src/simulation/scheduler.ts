import type { Random } from '@quicksale/shared/process';
import { seededRandom, type SeededRandom } from '../seeded-random.ts';

/** A process in one of its lives: with its death everything that it was about to do is forgotten. */
export interface Life {
  name: string;
  isAlive: boolean;
}

/**
 * The one who decides what happens next. All that code under test waits for is an event here; each
 * step picks one of those that may happen now, by chance, lets it happen and waits until everything
 * that follows from it at once has been done. So one seed is one history.
 */
export interface Scheduler {
  random: SeededRandom & Random;
  /** Milliseconds since the epoch; passes with the steps and never while code runs. */
  now(): number;
  steps(): number;
  /** Something that may happen from now on; not at all when `life` ends before. */
  post(label: string, run: () => void, life?: Life): void;
  /** The same after so many milliseconds. */
  after(delayMs: number, label: string, run: () => void, life?: Life): void;
  /** Lets one thing happen; false when nothing is left that could. */
  step(): Promise<boolean>;
}

interface Event {
  label: string;
  run: () => void;
  life: Life | undefined;
  atMs: number;
}

/**
 * Resolves when all that can go on without waiting has gone on: ticks run once no promise is left to
 * be settled. A turn of the event loop would do the same at the cost of a system call.
 */
const endOfTurn = () => new Promise<void>((resolve) => process.nextTick(resolve));

/** A step takes so long at most. */
const longestStepMs = 3;
const startMs = Date.UTC(2026, 0, 1);

export function createScheduler(seed: number, write?: (line: string) => void): Scheduler {
  const random = { ...seededRandom(seed), objectId: countedIds() };
  const ready: Event[] = [];
  /** By time. */
  const coming: Event[] = [];
  let nowMs = startMs;
  let steps = 0;

  function wait(event: Event): void {
    let at = coming.length;
    while (at > 0 && (coming[at - 1] as Event).atMs > event.atMs) at -= 1;
    coming.splice(at, 0, event);
  }

  function takeDue(): void {
    while (coming.length > 0 && (coming[0] as Event).atMs <= nowMs) {
      const event = coming.shift() as Event;
      if (event.life?.isAlive !== false) ready.push(event);
    }
  }

  function pick(): Event | undefined {
    for (;;) {
      takeDue();
      if (ready.length === 0) {
        const next = coming[0];
        if (!next) return undefined;
        nowMs = next.atMs;
        continue;
      }
      const index = random.integer(ready.length);
      const event = ready[index] as Event;
      ready[index] = ready.at(-1) as Event;
      ready.pop();
      if (event.life?.isAlive !== false) return event;
    }
  }

  return {
    random,
    now: () => nowMs,
    steps: () => steps,
    post: (label, run, life) => void ready.push({ label, run, life, atMs: nowMs }),
    after: (delayMs, label, run, life) =>
      wait({ label, run, life, atMs: nowMs + Math.max(0, Math.round(delayMs)) }),
    step: async () => {
      const event = pick();
      if (!event) return false;
      steps += 1;
      nowMs += random.integer(longestStepMs);
      write?.(
        `${String(steps).padStart(5)} ${String(nowMs - startMs).padStart(6)} ms  ${event.label}`,
      );
      event.run();
      await endOfTurn();
      return true;
    },
  };
}

/** Ids as of one machine that makes all of them: seconds, then a counter. */
function countedIds(): Random['objectId'] {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  let ids = 0;
  return (nowMs) => {
    ids += 1;
    return hex(Math.floor(nowMs / 1_000), 8) + hex(ids, 16);
  };
}
