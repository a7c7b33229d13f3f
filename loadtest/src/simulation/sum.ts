import type { SeedResult } from './run-seed.ts';

/** What several histories came to. */
export interface Sum {
  seeds: number;
  steps: number;
  excused: number;
  longestSettledMs: number;
  counts: Record<string, number>;
  broken: { seed: number; violations: string[] }[];
}

export const noSeeds: Sum = {
  ...{ seeds: 0, steps: 0, excused: 0, longestSettledMs: 0, counts: {}, broken: [] },
};

export function addUp(sum: Sum, more: SeedResult | Sum): Sum {
  const counts = { ...sum.counts };
  for (const [what, count] of Object.entries(more.counts))
    counts[what] = (counts[what] ?? 0) + count;
  const isOne = 'seed' in more;
  const { seed, violations } = isOne ? more : { seed: 0, violations: [] };
  return {
    seeds: sum.seeds + (isOne ? 1 : more.seeds),
    steps: sum.steps + more.steps,
    excused: sum.excused + more.excused,
    longestSettledMs: Math.max(
      sum.longestSettledMs,
      isOne ? more.settledMs : more.longestSettledMs,
    ),
    counts,
    broken: [
      ...sum.broken,
      ...(isOne ? (violations.length > 0 ? [{ seed, violations }] : []) : more.broken),
    ],
  };
}

const mostShown = 5;

/** What a hundred histories must have met, or they prove little. */
const wanted = [
  ...['kill', 'kill all', 'ledger restarts', 'ledger set back', 'ledger emptied'],
  ...['ledger fails over', 'mongo away', 'kafka away', 'provider away', 'events again'],
  ...['topics replayed', 'created', 'unknown', 'sold_out', 'limit', 'fenced', 'not_admitted'],
  ...['pay paid', 'pay not_payable', 'cancel cancelled', 'refund refunded', 'SHIPPED done'],
  ...['restocked', 'house done', 'pause changed', 'resume changed', 'paused'],
];

export const notMet = ({ seeds, counts }: Pick<Sum, 'seeds' | 'counts'>): string[] =>
  seeds < 100 ? [] : wanted.filter((what) => counts[what] === undefined);

/** For people: figures, then the seeds that broke something, with how to play them again. */
export function inWords(sum: Sum, seconds: number): string[] {
  const counts = Object.entries(sum.counts).sort(([, a], [, b]) => b - a);
  return [
    `${sum.seeds} seeds, ${sum.steps} steps in ${seconds.toFixed(1)} s (${(sum.seeds / seconds).toFixed(0)} seeds/s); ` +
      `quiet after ${(sum.longestSettledMs / 1_000).toFixed(1)} s of virtual time at most`,
    counts.map(([what, count]) => `${what}: ${count}`).join(', '),
    ...(sum.excused > 0
      ? [
          `${sum.excused} times a buyer's limit or an early answer was not held against a lost ledger`,
        ]
      : []),
    ...sum.broken
      .sort((a, b) => a.seed - b.seed)
      .slice(0, mostShown)
      .flatMap(({ seed, violations }) => [
        `seed ${seed}: ${violations[0]}${violations.length > 1 ? ` and ${violations.length - 1} more` : ''}`,
        `  again, step by step: npm run simulate -- --seed ${seed}`,
      ]),
    ...notMet(sum).map((what) => `no history has met this: ${what}`),
    `${sum.broken.length} of ${sum.seeds} seeds broke an invariant`,
  ];
}
