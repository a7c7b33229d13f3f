import type { TimedSale } from '@quicksale/inventory-service/src/sales/timed-sale.ts';
import { timedSettings } from '@quicksale/inventory-service/src/sales/timed-sale.ts';
import type { CatalogueProduct } from '@quicksale/shared/catalogue';
import { ledgerKeys } from '@quicksale/shared/stock-ledger';
import { findUnfinished, lookAtMoneyAndMail } from './at-rest.ts';
import { buy, openHistory, type History } from './buyers.ts';
import { keepHouse } from './house.ts';
import { createInvariants, type Invariants } from './invariants.ts';
import { brewTrouble, type Trouble } from './trouble.ts';
import { openShop, type Shop } from './shop.ts';
import { createSimulatedLedger } from './simulated-ledger.ts';
import { watchAnswers } from './watch-answers.ts';
import { lookAtWords } from './words.ts';
import { createWorld, type World } from './world.ts';

/** What one history came to. */
export interface SeedResult {
  seed: number;
  violations: string[];
  steps: number;
  /** Virtual time from the end of the faults until all was quiet. */
  settledMs: number;
  counts: Record<string, number>;
  excused: number;
}

/** After the faults all has to be quiet within this; an outbox entry that was tried often waits longest. */
const patienceMs = 120_000;
/** A clock that is really wrong. What its process puts off, others find that much later. */
const wrongClockMs = 300_000;
const shards = 2;

/**
 * Plays one history: a few sales, a handful of buyers, trouble, and then quiet. All of it follows
 * from the seed. `write` gets a line for each step.
 */
export async function runSeed(seed: number, write?: (line: string) => void): Promise<SeedResult> {
  const world = createWorld(seed, write);
  const history = openHistory();
  const sales = drawSales(world);
  const { shop, invariants } = build(world, history, sales);
  const trouble = brewTrouble(shop, invariants);
  const isOver = openTheDoors(shop, history);
  const look = () => {
    if (!world.isChanged) return;
    world.isChanged = false;
    invariants.look();
  };
  const isBroken = () => world.violations.length > 0;

  while (!(isOver() && trouble.isOver()) && !isBroken()) {
    await world.step();
    trouble.maybe();
    look();
  }
  const settledMs = isBroken() ? 0 : await settle(shop, invariants, trouble, look);
  if (!isBroken()) {
    invariants.lookAtRest();
    lookAtMoneyAndMail(shop);
    lookAtWords(shop, history, invariants);
  }
  const counts = Object.fromEntries([...history.counts, ...trouble.counts, ...shop.repairs]);
  const { violations } = world;
  return {
    ...{ seed, violations, settledMs, counts },
    steps: world.steps(),
    excused: invariants.excused(),
  };
}

/** Faults stop; resolves to how long it took until nothing was left to do. */
async function settle(
  shop: Shop,
  invariants: Invariants,
  trouble: Trouble,
  look: () => void,
): Promise<number> {
  const { world } = shop;
  trouble.stop();
  const fromMs = world.now();
  for (;;) {
    const nextLookMs = world.now() + 200;
    while (world.now() < nextLookMs && world.violations.length === 0) {
      await world.step();
      look();
    }
    if (world.violations.length > 0) return 0;
    const unfinished = [...findUnfinished(shop), ...invariants.findDrift()];
    if (unfinished.length === 0) return world.now() - fromMs;
    if (world.now() - fromMs < patienceMs + shop.mostSkewMs) continue;
    for (const what of unfinished) world.violate(what);
    return 0;
  }
}

/** One or two sales of one or two products each, of any kind that there is. */
function drawSales({ random, now }: World): TimedSale[] {
  const at = new Date(now());
  return Array.from({ length: 1 + random.integer(2) }, (_, sale) => ({
    id: hex('a', sale),
    kind: 'timed',
    ...{ merchantId: hex('9', 0), name: '', currency: 'USD' },
    opensAt: new Date(random.isLikely(0.2) ? now() + 1_000 : 1),
    closesAt: new Date(now() + (random.isLikely(0.2) ? 4_000 : 86_400_000)),
    perBuyerLimit: random.isLikely(0.4) ? 1 + random.integer(3) : 0,
    holdMs: random.isLikely(0.5) ? 1_500 + random.integer(3_000) : 0,
    durability: random.isLikely(0.25) ? 'fast' : 'safe',
    items: Array.from({ length: 1 + random.integer(2) }, (__, item) => {
      const stock = 1 + random.integer(5);
      return {
        productId: hex('b', sale * 2 + item),
        ...{ sku: 'S', name: 'N', price: 1_000 + random.integer(9_000) },
        ...{ stock, allotted: stock, rounds: 0 },
      };
    }),
    stage: 'ready',
    ...{ settingsVersion: 1, putVersion: 1, ledgerReady: true, revision: 1 },
    ...{ createdAt: at, updatedAt: at },
  }));
}

const hex = (letter: string, n: number) => letter.repeat(20) + n.toString(16).padStart(4, '0');

function build(
  world: World,
  history: History,
  sales: readonly TimedSale[],
): { shop: Shop; invariants: Invariants } {
  const { random } = world;
  const keys = ledgerKeys('', shards);
  const ledger = createSimulatedLedger(world, {
    keys,
    witness: (...seen) => watch.note(...seen),
  });
  const catalogue = new Map<string, CatalogueProduct>(
    sales.flatMap(({ id: saleId, merchantId, currency, items }) =>
      items.map(({ productId: id, sku, name }) => [
        id,
        {
          ...{ id, saleId, merchantId, currency, sku, name },
          saleChangedAt: new Date(0),
          archived: false,
        },
      ]),
    ),
  );
  const skewsMs = new Map(
    ['orders-1', 'orders-2', 'inventory'].map((name) => [
      name,
      random.isLikely(0.04) ? random.pick([-1, 1]) * wrongClockMs : random.integer(400) - 200,
    ]),
  );
  const shop = openShop({
    ...{ world, ledger, sales, catalogue, skewsMs },
    orderServices: 1 + random.integer(2),
  });
  const invariants = createInvariants(shop, history);
  const watch = watchAnswers(shop, invariants.isExcused);
  const { memory, admitted, runId } = ledger.current();
  for (let shard = 0; shard < shards; shard += 1) admitted.set(shard, runId);
  for (const sale of sales) {
    shop.mongo.sales.set(sale.id, sale);
    memory.putSale(timedSettings(sale), true);
    for (const { productId, stock } of sale.items) {
      memory.raise(sale.id, productId, stock);
      const movement = { id: `${productId}:initial`, saleId: sale.id, productId, firstUnit: 1 };
      const rest = { lastUnit: stock, reason: 'initial', by: 'merchant', at: new Date(0) } as const;
      shop.mongo.movements.set(movement.id, { ...movement, ...rest });
    }
  }
  return { shop, invariants };
}

/** Lets everybody in; answers whether all have gone again. */
function openTheDoors(shop: Shop, history: History): () => boolean {
  const { world, catalogue } = shop;
  const { random } = world;
  shop.start();
  let inside = 0;
  const come = (visit: Promise<void>) => {
    inside += 1;
    void visit.finally(() => (inside -= 1));
  };
  const products = [...catalogue.values()];
  const buyers = 2 + random.integer(5);
  for (let buyer = 0; buyer < buyers; buyer += 1)
    come(buy(shop, history, hex('c', buyer), products));
  if (random.isLikely(0.5)) come(keepHouse(shop, history, products));
  return () => inside === 0;
}
