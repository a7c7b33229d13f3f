import type { HoldRecord } from './hold-record.ts';
import type { LedgerKeys } from './keys.ts';
import type {
  LedgerEntry,
  OrderUnits,
  ReserveReply,
  ReserveRequest,
  StockLedger,
} from './ledger.ts';
import { rebuildInMemory } from './memory-rebuild.ts';
import { emptySale, type MemorySale } from './memory-sale.ts';
import { productsOf } from './reserve-call.ts';

const mostBare = 5;

/** All that a ledger in memory keeps; a copy of it is a backup. */
export interface MemoryLedgerState {
  sales: Map<string, MemorySale>;
  idem: Map<string, string>;
  /** Key of a shard's set -> member -> score. */
  due: Map<string, Map<string, number>>;
  unrecorded: Map<string, Map<string, number>>;
}

export const emptyLedger = (): MemoryLedgerState => ({
  ...{ sales: new Map(), idem: new Map(), due: new Map(), unrecorded: new Map() },
});

/**
 * The stock ledger in memory: what the scripts must do, said as plainly as possible. It is always
 * admitted. `dump` names and holds everything as the keys in Redis do.
 */
export function createMemoryStockLedger(options: {
  keys: LedgerKeys;
  now: () => number;
  state?: MemoryLedgerState;
}) {
  const { keys, now, state: kept = emptyLedger() } = options;
  const { sales, idem, due, unrecorded } = kept;

  const setOf = (sets: Map<string, Map<string, number>>, key: string) => {
    const found = sets.get(key) ?? new Map<string, number>();
    sets.set(key, found);
    return found;
  };
  const dueOf = (saleId: string) => setOf(due, keys.sale(saleId).due);
  const unrecordedOf = (saleId: string) => setOf(unrecorded, keys.sale(saleId).unrecorded);
  const state = { keys, sales, idem, dueOf, unrecordedOf };
  const lineOf = (saleId: string, productId: string) =>
    sales.get(saleId)?.lines.get(productId) ?? {};
  const openSale = (saleId: string) => {
    const sale = sales.get(saleId);
    return sale && !sale.settings.fenced ? sale : undefined;
  };
  const add = (counts: Map<string, number>, user: string, by: number) =>
    counts.set(user, Math.max((counts.get(user) ?? 0) + by, 0));
  const isFast = (sale: MemorySale, kind: HoldRecord['kind']) =>
    sale.settings.durability === 'fast' && kind === 'order';
  const countsBuyer = (sale: MemorySale, kind: HoldRecord['kind']) =>
    (sale.settings.opensAtMs ?? 0) > 0 && kind !== 'house';

  /** Takes the units out of the record, each once; what is empty goes. Answers those that left. */
  function takeOut(saleId: string, sale: MemorySale, { orderId, units }: OrderUnits) {
    const record = sale.holds.get(orderId);
    const left: [productId: string, unit: number][] = [];
    if (!record) return { record, left };
    const rest = new Map(Object.entries(record.units).map(([id, all]) => [id, [...all]]));
    for (const [productId, numbers] of Object.entries(units))
      for (const unit of numbers) {
        const mine = rest.get(productId) ?? [];
        if (!mine.includes(unit)) continue;
        mine.splice(mine.indexOf(unit), 1);
        if (mine.length === 0) rest.delete(productId);
        left.push([productId, unit]);
        const line = sale.lines.get(productId);
        if (line && record.expiresAt > 0) line.held = (line.held ?? 0) - 1;
      }
    if (rest.size > 0) sale.holds.set(orderId, { ...record, units: Object.fromEntries(rest) });
    else {
      sale.holds.delete(orderId);
      dueOf(saleId).delete(`${saleId}/${orderId}`);
      unrecordedOf(saleId).delete(`${saleId}/${orderId}`);
    }
    return { record, left };
  }

  function giveBack(
    saleId: string,
    sale: MemorySale,
    units: OrderUnits,
    countBuyer = true,
  ): boolean {
    const { record, left } = takeOut(saleId, sale, units);
    if (!record || left.length === 0) return false;
    for (const [productId, unit] of left) {
      const line = sale.lines.get(productId);
      if (line) line.available = (line.available ?? 0) + 1;
      const free = [...(sale.free.get(productId) ?? []), unit].sort((a, b) => a - b);
      sale.free.set(productId, free);
    }
    if (countBuyer && countsBuyer(sale, record.kind)) add(sale.buyers, record.userId, -left.length);
    if (record.kind === 'bare' && !sale.holds.has(units.orderId)) add(sale.bare, record.userId, -1);
    return true;
  }

  function replay(
    saleId: string,
    sale: MemorySale,
    request: ReserveRequest,
  ): ReserveReply | undefined {
    const stored = idem.get(keys.idem(saleId, request.digest));
    if (stored === undefined) return undefined;
    const [orderId = '', fingerprint] = stored.split(' ');
    if (fingerprint !== request.fingerprint) return { status: 'key_reused' };
    let record = sale.holds.get(orderId);
    if (record && request.kind === 'bare' && record.expiresAt <= now()) record = undefined;
    if (!record && request.replaces === orderId) return undefined;
    const recorded = !unrecordedOf(saleId).has(`${saleId}/${orderId}`);
    return { status: 'replayed', orderId, recorded, ...(record && { record }) };
  }

  function refusal(
    sale: MemorySale,
    request: ReserveRequest,
    call: { holdsBefore: ReadonlySet<string>; productIds: ReadonlySet<string> },
  ): ReserveReply | undefined {
    const { state = 'live', opensAtMs = 0, closesAtMs = 0, perBuyerLimit = 0 } = sale.settings;
    const { userId, kind, items, holdId } = request;
    if (isFast(sale, kind) && request.earlierUnasked) return { status: 'ask_earlier' };
    if (kind !== 'house') {
      if (state !== 'live') return { status: state };
      if (now() < opensAtMs) return { status: 'not_open', opensAtMs };
      if (closesAtMs > 0 && now() >= closesAtMs) return { status: 'closed' };
    }
    const isThere = holdId !== undefined && call.holdsBefore.has(holdId);
    const found = isThere ? sale.holds.get(holdId) : undefined;
    const usable = found?.kind === 'bare' && found.userId === userId && found.expiresAt > now();
    const isNamed = Object.keys(found?.units ?? {}).every((id) => call.productIds.has(id));
    const hold = usable && isNamed ? found : undefined;
    if (holdId !== undefined && !hold) return { status: 'hold_gone' };
    for (const { productId } of items) {
      const line = sale.lines.get(productId);
      if (line?.last === undefined || line.price === undefined || (line.away && kind !== 'house'))
        return { status: 'unknown_product', productId };
    }
    const short = items.flatMap(({ productId, quantity }) => {
      const held = hold?.units[productId]?.length ?? 0;
      const available = (sale.lines.get(productId)?.available ?? 0) + held;
      return available < quantity ? [{ productId, available }] : [];
    });
    if (short.length > 0) return { status: 'sold_out', products: short };
    const sum = items.reduce((total, { quantity }) => total + quantity, 0);
    const holdSum = Object.values(hold?.units ?? {}).reduce((total, all) => total + all.length, 0);
    const owned = Math.max((sale.buyers.get(userId) ?? 0) - holdSum, 0);
    if (countsBuyer(sale, kind) && perBuyerLimit > 0 && owned + sum > perBuyerLimit)
      return { status: 'limit', limit: perBuyerLimit, owned };
    const bare = (sale.bare.get(userId) ?? 0) - (hold ? 1 : 0);
    if (kind === 'bare' && bare >= mostBare) return { status: 'too_many_holds', most: mostBare };
    return undefined;
  }

  function accept(
    saleId: string,
    sale: MemorySale,
    request: ReserveRequest,
    choose: (() => void)[],
  ): HoldRecord {
    const { orderId, userId, kind, holdId } = request;
    const hold = holdId === undefined ? undefined : sale.holds.get(holdId);
    if (hold) giveBack(saleId, sale, hold, kind !== 'house');
    const at = now();
    const ownMs = kind === 'house' ? 0 : (sale.settings.holdMs ?? 0);
    const lifeMs = kind === 'bare' ? (request.ttlMs ?? 0) : ownMs;
    const units: Record<string, number[]> = {};
    const prices: Record<string, number> = {};
    for (const { productId, quantity } of request.items) {
      const line = sale.lines.get(productId) ?? {};
      const numbers: number[] = [];
      choose.push(() => {
        numbers.push(...(sale.free.get(productId) ?? []).splice(0, quantity));
        line.next ??= 1;
        while (numbers.length < quantity) numbers.push(line.next++);
      });
      line.available = (line.available ?? 0) - quantity;
      if (lifeMs > 0) line.held = (line.held ?? 0) + quantity;
      units[productId] = numbers;
      prices[productId] = line.price ?? 0;
    }
    const expiresAt = lifeMs > 0 ? at + lifeMs : 0;
    const { epoch } = sale.settings;
    const { facts } = request;
    const record: HoldRecord = {
      ...{ orderId, kind, userId, epoch, at, expiresAt, units, prices, facts },
      ...(isFast(sale, kind) && { fast: true }),
    };
    sale.holds.set(orderId, record);
    idem.set(keys.idem(saleId, request.digest), `${orderId} ${request.fingerprint}`);
    if (expiresAt > 0) dueOf(saleId).set(`${saleId}/${orderId}`, expiresAt);
    if (kind === 'bare') add(sale.bare, userId, 1);
    else unrecordedOf(saleId).set(`${saleId}/${orderId}`, at);
    const count = request.items.reduce((total, { quantity }) => total + quantity, 0);
    if (countsBuyer(sale, kind)) add(sale.buyers, userId, count);
    return record;
  }

  function claim(set: Map<string, number>, upTo: number, score: number, limit: number) {
    const old = [...set].filter(([, at]) => at <= upTo);
    old.sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
    return old.slice(0, limit).map(([member]): LedgerEntry => {
      set.set(member, score);
      const [saleId = '', orderId = ''] = member.split('/');
      return { saleId, orderId };
    });
  }

  const ledger = {
    reserve(saleId, requests, recorded = []) {
      const sale = sales.get(saleId);
      if (!sale) return requests.map(() => ({ status: 'unknown_sale' }));
      if (sale.settings.fenced) return requests.map(() => ({ status: 'fenced' }));
      const holdsBefore = new Set(sale.holds.keys());
      const call = { holdsBefore, productIds: new Set(productsOf(requests)) };
      // Numbers are chosen when all is decided: what a later order gives back serves earlier ones.
      const choose: (() => void)[] = [];
      const replies = requests.map(
        (request): ReserveReply =>
          replay(saleId, sale, request) ??
          refusal(sale, request, call) ?? {
            status: 'reserved',
            record: accept(saleId, sale, request, choose),
          },
      );
      for (const take of choose) take();
      for (const id of recorded) unrecordedOf(saleId).delete(`${saleId}/${id}`);
      return replies;
    },
    release(saleId, releases) {
      const sale = openSale(saleId);
      return releases.map((units) => {
        if (!sale) return 'fenced';
        return giveBack(saleId, sale, units) ? 'released' : 'already';
      });
    },
    settle(saleId, orderIds) {
      const sale = openSale(saleId);
      return orderIds.map((orderId) => {
        const record = sale?.holds.get(orderId);
        if (!sale) return 'fenced';
        if (!record || record.kind === 'bare') return 'gone';
        if (record.expiresAt === 0) return 'already';
        for (const [productId, numbers] of Object.entries(record.units)) {
          const line = sale.lines.get(productId);
          if (line) line.held = (line.held ?? 0) - numbers.length;
        }
        sale.holds.set(orderId, { ...record, expiresAt: 0, deadline: record.expiresAt });
        dueOf(saleId).delete(`${saleId}/${orderId}`);
        return 'settled';
      });
    },
    ship(saleId, shipments) {
      const sale = openSale(saleId);
      return shipments.map((units) => {
        if (!sale) return 'fenced';
        if (sale.holds.get(units.orderId)?.kind === 'bare') return 'already';
        const { left } = takeOut(saleId, sale, units);
        for (const [productId] of left) {
          const line = sale.lines.get(productId);
          if (line) line.gone = (line.gone ?? 0) + 1;
        }
        return left.length > 0 ? 'shipped' : 'already';
      });
    },
    readHolds(saleId, orderIds) {
      const sale = openSale(saleId);
      if (!sale) return 'fenced';
      for (const id of orderIds)
        if (!sale.holds.has(id))
          for (const set of [unrecordedOf(saleId), dueOf(saleId)]) set.delete(`${saleId}/${id}`);
      const records = orderIds.map((id) => sale.holds.get(id));
      return { epoch: sale.settings.epoch, nowMs: now(), records };
    },
    findKeys: (asked) =>
      asked.map(({ saleId, digest }) => {
        const sale = sales.get(saleId);
        if (sale && !sale.settings.fenced)
          return idem.has(keys.idem(saleId, digest)) ? 'known' : 'unknown';
        return sale ? 'fenced' : 'unknown_sale';
      }),
    claimDue: (shard, { leaseMs, limit }) =>
      claim(setOf(due, keys.due(shard)), now(), now() + leaseMs, limit),
    claimUnrecorded: (shard, { ageMs, leaseMs, limit }) => {
      const set = setOf(unrecorded, keys.unrecorded(shard));
      return claim(set, now() - ageMs, now() + leaseMs - ageMs, limit);
    },
    strikeOff(saleId, orderIds) {
      for (const id of orderIds) unrecordedOf(saleId).delete(`${saleId}/${id}`);
    },
    markUnrecorded(saleId, orderIds) {
      const sale = openSale(saleId);
      return orderIds.map((orderId) => {
        const record = sale?.holds.get(orderId);
        if (!sale) return 'fenced';
        if (!record || record.kind === 'bare') return 'gone';
        const marks = unrecordedOf(saleId);
        if (marks.has(`${saleId}/${orderId}`)) return 'already';
        marks.set(`${saleId}/${orderId}`, record.at);
        return 'marked';
      });
    },
    raise(saleId, productId, lastUnit) {
      const line = openSale(saleId)?.lines.get(productId) ?? {};
      if (!openSale(saleId)) return 'fenced';
      const more = lastUnit - (line.last ?? 0);
      if (line.last !== undefined && more <= 0) return 'already';
      const { next = 1, available = 0, held = 0, gone = 0 } = line;
      const raised = { last: lastUnit, next, available: available + more, held, gone };
      sales.get(saleId)?.lines.set(productId, { ...line, ...raised });
      return 'raised';
    },
    putSale({ saleId, products, ...settings }, create) {
      const known = sales.get(saleId);
      if (known ? known.settings.fenced : !create) return 'fenced';
      if (known && (known.settings.settingsVersion ?? 0) >= settings.settingsVersion)
        return 'already';
      const { lines, free, buyers, bare, holds } = known ?? emptySale();
      for (const { productId, price, away } of products)
        lines.set(productId, { ...lines.get(productId), price, away });
      const { epoch } = known?.settings ?? { epoch: 1 };
      const kept = { ...settings, epoch, fenced: false };
      sales.set(saleId, { settings: kept, lines, free, buyers, bare, holds });
      return 'put';
    },
    fence(saleId, epoch) {
      const sale = openSale(saleId);
      if (!sale || sale.settings.epoch > epoch) return 'already';
      sale.settings.fenced = true;
      return 'fenced';
    },
    rebuild: (saleId, turn, step) => rebuildInMemory(state, saleId, { turn, step }),
    saleStates: (saleIds) =>
      saleIds.map((saleId) => {
        const sale = sales.get(saleId);
        if (!sale) return 'unknown_sale';
        return sale.settings.fenced ? 'fenced' : 'live';
      }),
    markedOrders(saleId) {
      const ofSale = (set: Map<string, number>) =>
        [...set.keys()].flatMap((member) => {
          const [sale, orderId = ''] = member.split('/');
          return sale === saleId ? [orderId] : [];
        });
      return { due: ofSale(dueOf(saleId)), unrecorded: ofSale(unrecordedOf(saleId)) };
    },
    peekHolds: (saleId, orderIds) => orderIds.map((id) => sales.get(saleId)?.holds.get(id)),
    pricedStock: (products) =>
      products.map(({ saleId, productId }) => {
        const { last, gone = 0, available = 0, price, away } = lineOf(saleId, productId);
        const isClosed = sales.get(saleId)?.settings.state === 'closed';
        if (last === undefined || price === undefined || away || isClosed) return null;
        const stock = last - gone;
        return { stock, reserved: stock - available, available, price };
      }),
    snapshot(saleId) {
      const sale = sales.get(saleId);
      if (!sale) return 'unknown_sale';
      const { epoch, fenced } = sale.settings;
      const products = Object.fromEntries(
        [...sale.lines].map(
          ([id, { last = 0, next = 1, available = 0, held = 0, gone = 0 }]) =>
            [id, { last, next, available, held, gone }] as const,
        ),
      );
      return { epoch, fenced, products, records: [...sale.holds.values()] };
    },
  } satisfies Synchronous;

  /** Everything in the shape of the keys in Redis: strings, hashes, and sets with scores. */
  function dump(): Record<string, unknown> {
    const all: Record<string, unknown> = Object.fromEntries(idem);
    for (const [saleId, sale] of sales) {
      const at = keys.sale(saleId);
      all[at.sale] = asText(Object.entries(sale.settings));
      const stock = [...sale.lines].flatMap(([id, line]) =>
        Object.entries(line).map(([name, value]) => [`${id}:${name}`, value] as const),
      );
      all[at.stock] = asText(stock);
      all[at.buyers] = asText([...sale.buyers]);
      all[at.bare] = asText([...sale.bare]);
      all[at.holds] = Object.fromEntries(sale.holds);
      for (const [productId, numbers] of sale.free)
        all[keys.free(saleId, productId)] = Object.fromEntries(numbers.map((n) => [n, n]));
    }
    for (const [key, set] of [...due, ...unrecorded]) all[key] = Object.fromEntries(set);
    const isEmpty = (value: unknown) => Object.keys(value as object).length === 0;
    return Object.fromEntries(Object.entries(all).filter(([, value]) => !isEmpty(value)));
  }

  const holdOf = (saleId: string, orderId: string) => sales.get(saleId)?.holds.get(orderId);
  /** A record that is lost without a trace, as no script ever loses one. */
  const loseHold = (saleId: string, orderId: string) => sales.get(saleId)?.holds.delete(orderId);
  /** A sale of which nothing is left but its keys and marks, as when its server came back empty. */
  const loseSale = (saleId: string) => sales.delete(saleId);
  return { ...ledger, state: kept, dump, holdOf, loseHold, loseSale };
}

const asText = (entries: readonly (readonly [string, unknown])[]) =>
  Object.fromEntries(entries.map(([k, v]) => [k, String(typeof v === 'boolean' ? Number(v) : v)]));

type Operations = Omit<StockLedger, 'shards' | 'shownStock' | 'lastUnits' | 'clock'>;
/** The same operations, answered at once. */
type Synchronous = {
  [K in keyof Operations]: (
    ...args: Parameters<Operations[K]>
  ) => Awaited<ReturnType<Operations[K]>>;
};
