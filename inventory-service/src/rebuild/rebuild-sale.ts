import { unavailable } from '@quicksale/shared/errors';
import { faultPoint, type Clock } from '@quicksale/shared/process';
import {
  rebuildSliceSize,
  type RebuildStep,
  type StockLedger,
} from '@quicksale/shared/stock-ledger';
import type { MovementStore } from '../stock/movement.ts';
import { RebuildStopped, type RebuildLease } from './rebuild-lease.ts';
import { keyOf, openBooks, type SaleBooks } from './sale-books.ts';
import type { SaleOrder, SaleOrders } from './sale-orders.ts';
import { readSettings, type SettingsDeps } from './sale-settings.ts';
import type { UnrecordedHolds } from './unrecorded-holds.ts';

export interface RebuildDeps extends SettingsDeps {
  ledger: Pick<StockLedger, 'rebuild' | 'markedOrders'>;
  unrecordedHolds: UnrecordedHolds;
  movements: Pick<MovementStore, 'listCommitments'>;
  saleOrders: SaleOrders;
  clock: Clock;
}

/** What was written back. */
export interface RebuiltSale {
  epoch: number;
  /** Unrecorded holds that the old ledger had left. */
  unrecorded: number;
  orders: number;
  records: number;
  keys: number;
  products: number;
}

/**
 * Writes the ledger of a sale anew from MongoDB. The sale is fenced by the first step and opened by
 * the last; whatever dies in between leaves it fenced, and the next one starts over. While it is
 * fenced orders may change but take no units, so everything that is read here is true once it opens:
 * a unit that was given up meanwhile is still in its record, which is the token for its release.
 * Throws RebuildStopped when this rebuilder was overtaken, AppError `dependency-unavailable` when a
 * store is away.
 */
export async function rebuildSale(
  deps: RebuildDeps,
  saleId: string,
  lease: RebuildLease,
): Promise<RebuiltSale> {
  const { write, send } = createWriter(deps, saleId, lease);
  await write({ kind: 'begin' });
  faultPoint('after-rebuild-begun');
  const { holds } = await deps.unrecordedHolds.record(saleId);
  await lease.renew();
  const settings = await readSettings(deps, saleId);
  if (!settings) throw new Error(`there is no sale ${saleId}`);
  const lastUnits = await deps.movements.listCommitments(saleId);
  const products = new Set([
    ...settings.products.map(({ productId }) => productId),
    ...lastUnits.map(({ productId }) => productId),
  ]);
  const { due, unrecorded } = await deps.ledger.markedOrders(saleId);

  for (const productIds of slices([...products])) await write({ kind: 'clear', productIds });
  for (const struck of slices([...new Set([...due, ...unrecorded])]))
    await write({ kind: 'write', struck });
  faultPoint('after-rebuild-cleared');

  const books = openBooks({ epoch: lease.epoch, lastUnits });
  const counts = await writeOrders(deps, { saleId, books, send });
  await writeStock(send, books, settings.opensAtMs > 0);
  const { saleId: _, products: prices, ...rest } = settings;
  for (const slice of slices(prices)) await write({ kind: 'write', prices: slice });
  await write({ kind: 'write', settings: rest });
  faultPoint('after-rebuild-written');
  await write({ kind: 'open', records: counts.records });
  return { epoch: lease.epoch, unrecorded: holds, ...counts, products: products.size };
}

type Write = (step: RebuildStep) => Promise<void>;

interface Writer {
  /** Sends a step and waits until it, and all before it, have been done. */
  write: Write;
  /** Sends a step behind others that are under way. */
  send: Write;
}

/** The ledger is kept busy while MongoDB reads on; it refuses whatever comes out of turn. */
const stepsInFlight = 3;

/** Sends one step after another; on any answer but `ok` the rebuilder is done for. */
function createWriter({ ledger }: RebuildDeps, saleId: string, lease: RebuildLease): Writer {
  let slice = 0;
  let inFlight: Promise<void>[] = [];

  async function run(turn: number, step: RebuildStep): Promise<void> {
    const reply = await ledger.rebuild(saleId, { epoch: lease.epoch, slice: turn }, step);
    switch (reply.status) {
      case 'ok':
        return;
      case 'not_admitted':
        throw unavailable('The stock ledger is being checked');
      case 'outdated':
        // A ledger that is ahead of MongoDB's count would never be caught up with.
        if (reply.epoch > lease.epoch) await lease.end(reply.epoch);
        throw new RebuildStopped(`the ledger is at epoch ${reply.epoch}, not ${lease.epoch}`);
      case 'out_of_turn':
        throw new RebuildStopped('the ledger has lost a slice, or another one writes');
      case 'incomplete':
        throw new RebuildStopped(`the ledger has ${reply.records} records`);
      default:
        return reply satisfies never;
    }
  }

  async function send(step: RebuildStep): Promise<void> {
    if (inFlight.length >= stepsInFlight) await inFlight.shift();
    await lease.renew();
    const running = run(slice, step);
    slice += 1;
    // The first to fail is waited for first; those behind it fail for its sake.
    running.catch(() => undefined);
    inFlight.push(running);
  }

  return {
    send,
    write: async (step) => {
      await send(step);
      const all = inFlight;
      inFlight = [];
      for (const one of all) await one;
    },
  };
}

/** Records, deadlines and keys, order by order as they are read. */
async function writeOrders(
  { saleOrders, clock }: RebuildDeps,
  { saleId, books, send }: { saleId: string; books: SaleBooks; send: Write },
): Promise<{ orders: number; records: number; keys: number }> {
  const counts = { orders: 0, records: 0, keys: 0 };
  const writeSlice = async (orders: readonly SaleOrder[]) => {
    const records = orders.flatMap((order) => books.note(order) ?? []);
    const keys = orders.flatMap((order) => keyOf(order, clock.now()) ?? []);
    counts.orders += orders.length;
    counts.records += records.length;
    counts.keys += keys.length;
    if (records.length + keys.length > 0) await send({ kind: 'write', records, keys });
  };
  for await (const piece of readAhead(saleOrders.ofSale(saleId)))
    for (const orders of slices(piece)) await writeSlice(orders);
  return counts;
}

/** Asks for the next piece before this one is dealt with. */
async function* readAhead<T>(pieces: AsyncIterable<T>): AsyncGenerator<T, void> {
  const source = pieces[Symbol.asyncIterator]();
  let coming = source.next();
  try {
    for (;;) {
      const piece = await coming;
      if (piece.done) return;
      coming = source.next();
      // Whoever stops before it comes does not hear of its failure.
      coming.catch(() => undefined);
      yield piece.value;
    }
  } finally {
    await source.return?.();
  }
}

async function writeStock(send: Write, books: SaleBooks, isTimed: boolean): Promise<void> {
  if (isTimed) for (const buyers of slices(books.buyers())) await send({ kind: 'write', buyers });
  const free = books
    .free()
    .flatMap(({ productId, numbers }) =>
      slices(numbers).map((some) => ({ productId, numbers: some })),
    );
  for (const some of within(free)) await send({ kind: 'write', free: some });
  for (const counters of slices(books.lines())) await send({ kind: 'write', counters });
}

function slices<T>(all: readonly T[]): T[][] {
  const count = Math.ceil(all.length / rebuildSliceSize);
  return Array.from({ length: count }, (_, index) =>
    all.slice(index * rebuildSliceSize, (index + 1) * rebuildSliceSize),
  );
}

/** Free numbers of several products in one slice, as many as it takes. */
function within<T extends { numbers: readonly number[] }>(all: readonly T[]): T[][] {
  const groups: T[][] = [];
  let room = 0;
  for (const one of all) {
    const group = groups.at(-1);
    if (group && one.numbers.length <= room) group.push(one);
    else {
      groups.push([one]);
      room = rebuildSliceSize;
    }
    room -= one.numbers.length;
  }
  return groups;
}
