import { toAppError, unavailable } from '@quicksale/shared/errors';
import { createLogger, type Logger } from '@quicksale/shared/log';
import { createScheduler, type Life, type Scheduler } from './scheduler.ts';

export type Store = 'ledger' | 'mongo' | 'kafka' | 'redis' | 'provider' | 'http';

/** How likely it is that a call goes wrong, each in [0, 1). */
export interface Weather {
  /** The request is lost: no effect, and an error. */
  lost: number;
  /** The answer is lost: the effect, and an error. */
  unheard: number;
  /** The effect comes long after the error, of writes to MongoDB. */
  late: number;
}

export const calm: Weather = { lost: 0, unheard: 0, late: 0 };

/** What the simulated processes share: time, chance, and the lines between them and the stores. */
export interface World extends Scheduler {
  log: Logger;
  weather: Weather;
  /** Stores that answer nobody at present. */
  away: Set<Store>;
  /** Set by whatever changes a store; the invariants are looked at then. */
  isChanged: boolean;
  /** Writes whose callers have given up, and that have not landed yet. */
  underWay: number;
  violations: string[];
  trace(line: string): void;
  violate(what: string): void;
  /**
   * A call over a line that may break: the effect happens at one instant, request and answer take
   * their time. Rejects with AppError `dependency-unavailable` when it is not known what became of it.
   */
  call<T>(call: Call<T>): Promise<T>;
  sleep(life: Life, delayMs: number): Promise<void>;
  /** Work that a process repeats, never twice at the same time. */
  every(life: Life, name: string, everyMs: number, work: () => Promise<unknown>): void;
}

export interface Call<T> {
  life: Life;
  store: Store;
  name: string;
  effect: () => T | Promise<T>;
  /** It changes nothing. */
  reads?: boolean;
  /** May land long after its caller has given up. */
  mayBeLate?: boolean;
}

const longestLateMs = 6_000;

export function createWorld(seed: number, write?: (line: string) => void): World {
  const scheduler = createScheduler(seed, write);
  const { random, post, after } = scheduler;
  const trace = (line: string) => write?.(`                 ${line}`);
  const log = createLogger(
    { service: 'simulation', level: write ? 'warn' : 'silent' },
    {
      write: (line) => {
        const { level, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
        const { message } = (err ?? {}) as { message?: string };
        const { time: _t, service: _s, pid: _p, ...fields } = rest;
        trace(`[${String(level)}] ${String(msg)} ${message ?? ''} ${JSON.stringify(fields)}`);
      },
    },
  );

  function call<T>({ life, store, name, effect, reads, mayBeLate }: Call<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const label = `${life.name} ${name}`;
      const answer = (what: string, settle: () => void) => post(`${label}: ${what}`, settle, life);
      const fail = (what: string) => answer(what, () => reject(unavailable(`${name}: ${what}`)));
      const land = async (settle: (result: T) => void, refuse: (error: Error) => void) => {
        if (!reads) world.isChanged = true;
        try {
          settle(await effect());
        } catch (error) {
          refuse(error as Error);
        }
      };
      const silently = () => undefined;
      post(label, () => {
        const { lost, unheard, late } = world.weather;
        if (world.away.has(store) || random.isLikely(lost)) return fail('lost');
        if (mayBeLate && random.isLikely(late)) {
          const wait = random.integer(longestLateMs);
          world.underWay += 1;
          after(wait, `${label} lands late`, () => {
            world.underWay -= 1;
            void land(silently, silently);
          });
          return fail('unknown');
        }
        if (random.isLikely(unheard)) {
          void land(silently, silently);
          return fail('answer lost');
        }
        // Half of the answers are there at once: fewer steps, and still every order of events.
        const isQuick = random.isLikely(0.5);
        void land(
          (result) =>
            isQuick && life.isAlive ? resolve(result) : answer('answer', () => resolve(result)),
          (error) =>
            isQuick && life.isAlive ? reject(error) : answer('error', () => reject(error)),
        );
      });
    });
  }

  const world: World = {
    ...scheduler,
    log,
    weather: calm,
    away: new Set(),
    isChanged: true,
    underWay: 0,
    violations: [],
    trace,
    violate: (what) => {
      trace(`VIOLATION ${what}`);
      world.violations.push(what);
    },
    call,
    sleep: (life, delayMs) =>
      new Promise((wake) => after(delayMs, `${life.name} wakes`, wake, life)),
    every: (life, name, everyMs, work) => {
      const round = async () => {
        try {
          await work();
        } catch (error) {
          noteUnexpected(world, `${life.name} ${name}`, error);
        }
        again();
      };
      const again = () =>
        after(
          everyMs * (0.5 + random.fraction()),
          `${life.name} ${name}`,
          () => void round(),
          life,
        );
      again();
    },
  };
  return world;
}

/** What use cases throw on purpose, beside AppErrors: somebody else was faster, or an event is void. */
const expected = /^(RebuildStopped|Error: Rejected orders that have their units)/;

/** Errors that tell of a defect rather than of a fault. */
export function noteUnexpected(world: World, where: string, error: unknown): void {
  world.trace(`${where}: ${String(error)}`);
  const { kind, cause } = toAppError(error);
  if (kind === 'internal' && !expected.test(String(error)))
    world.violate(`defect: ${where}: ${String(error)} ${cause === error ? '' : String(cause)}`);
}
