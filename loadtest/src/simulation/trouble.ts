import type { Invariants } from './invariants.ts';
import type { Shop } from './shop.ts';
import { calm, type Store, type Weather } from './world.ts';

/** Everything that goes wrong in one history. */
export interface Trouble {
  /** Called after each step. */
  maybe(): void;
  /** There is no more of it. */
  isOver(): boolean;
  stop(): void;
  counts: Map<string, number>;
}

const longestMs = 9_000;
const longestAwayMs = 3_000;

const weathers: readonly Weather[] = [
  calm,
  { lost: 0.01, unheard: 0.01, late: 0.02 },
  { lost: 0.04, unheard: 0.06, late: 0.1 },
  { lost: 0, unheard: 0.1, late: 0.25 },
];

/** Draws which kinds of trouble this history has, and how often. */
export function brewTrouble(shop: Shop, invariants: Invariants): Trouble {
  const { world, ledger } = shop;
  const { random } = world;
  const counts = new Map<string, number>();
  const endsMs = world.now() + 1_500 + random.integer(longestMs);
  // A third of the histories is about the ledger; what lands late is what meets its repair.
  const losesLedger = random.isLikely(0.34);
  world.weather = random.pick(losesLedger ? weathers.slice(1) : weathers);
  const perStep = random.pick(losesLedger ? [0.006, 0.015] : [0, 0.002, 0.006, 0.015]);
  let hasStopped = false;

  const goAway = (store: Store) => {
    world.away.add(store);
    world.after(random.integer(longestAwayMs), `${store} is back`, () => world.away.delete(store));
  };
  const lose = (how: () => boolean, inFlight: 'known' | 'all' = 'known') => {
    const before = ledger.current();
    if (how()) invariants.doubtLedger(before, inFlight);
  };
  const gentle: Record<string, () => void> = {
    kill: () => shop.kill(random.pick(shop.names())),
    'kill all': () => shop.names().forEach(shop.kill),
    'ledger restarts': () => ledger.restart(),
    'mongo away': () => goAway('mongo'),
    'kafka away': () => goAway('kafka'),
    'provider away': () => goAway('http'),
    'events again': () => shop.bus.repeatSome(),
    'topics replayed': () => shop.bus.replay(),
  };
  const cruel: Record<string, () => void> = {
    'ledger set back': () => lose(ledger.setBack),
    'ledger emptied': () =>
      lose(() => {
        ledger.empty();
        return true;
      }),
    'ledger fails over': () => lose(ledger.failOver, 'all'),
  };
  const kinds = { ...gentle, ...cruel };
  const draw = () => {
    if (losesLedger && random.isLikely(0.4)) return random.pick(Object.keys(cruel));
    return random.isLikely(0.4) ? 'kill' : random.pick(Object.keys(gentle));
  };

  function stop(): void {
    if (hasStopped) return;
    hasStopped = true;
    world.weather = calm;
    world.away.clear();
  }

  return {
    counts,
    stop,
    isOver: () => world.now() >= endsMs,
    maybe: () => {
      if (hasStopped) return;
      if (world.now() >= endsMs) return stop();
      if (losesLedger && random.isLikely(0.02)) ledger.backUp();
      if (!random.isLikely(perStep)) return;
      const name = draw();
      world.trace(`TROUBLE ${name}`);
      counts.set(name, (counts.get(name) ?? 0) + 1);
      kinds[name as keyof typeof kinds]?.();
    },
  };
}
