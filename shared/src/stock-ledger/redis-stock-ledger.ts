import type { Counter } from '@prometheus-io/client';
import { unavailable } from '../errors/index.ts';
import type { RedisServers } from '../redis/index.ts';
import { findKeys } from './find-keys.ts';
import { parseHoldRecord } from './hold-record.ts';
import type { LedgerKeys } from './keys.ts';
import type {
  LedgerEntry,
  LedgerRefusal,
  OrderUnits,
  ProductCounters,
  SaleSnapshot,
  StockLedger,
} from './ledger.ts';
import { markedOrders, peekHolds, pricedStock, saleStates, shownStock } from './plain-reads.ts';
import { productsOf as productsOfStep, rebuildArguments } from './rebuild-step.ts';
import { orderArguments, parseReserveReply, productsOf } from './reserve-call.ts';
import { ledgerScripts, type LedgerScripts, type StatusReply } from './scripts.ts';

const snapshotSliceSize = 1_000;
/** A sale may have more products than one command should keep the server busy for. */
const fieldsPerRead = 1_000;

/** The stock ledger on Redis. `calls` counts script calls by script. */
export function createRedisStockLedger(options: {
  /** Where the ledger's keys are; `RedisConnection` is one server that has them all. */
  connection: RedisServers;
  keys: LedgerKeys;
  calls?: Counter<'script'>;
  scripts?: LedgerScripts;
}): StockLedger {
  const { connection, keys, scripts = ledgerScripts } = options;
  const count = (script: { name: string }) => options.calls?.inc({ script: script.name });

  const reserve: StockLedger['reserve'] = async (saleId, requests, recorded = []) => {
    count(scripts.reserve);
    const products = productsOf(requests);
    const reply = await scripts.reserve.run(connection, {
      keys: {
        ...keys.sale(saleId),
        idem: requests.map((request) => keys.idem(saleId, request.digest)),
        free: products.map((productId) => keys.free(saleId, productId)),
      },
      args: {
        saleId,
        orderCount: String(requests.length),
        productCount: String(products.length),
        recordedCount: String(recorded.length),
        recorded,
        productId: products,
        order: orderArguments(requests, products),
      },
    });
    return parseReserveReply(reply, requests);
  };

  const release: StockLedger['release'] = async (saleId, releases) => {
    count(scripts.release);
    const { products, args } = namedUnits(saleId, releases);
    const free = products.map((productId) => keys.free(saleId, productId));
    const reply = await scripts.release.run(connection, {
      keys: { ...keys.sale(saleId), free },
      args,
    });
    return perOrder<'released' | 'already'>(reply, releases);
  };

  const ship: StockLedger['ship'] = async (saleId, shipments) => {
    count(scripts.ship);
    const { args } = namedUnits(saleId, shipments);
    const reply = await scripts.ship.run(connection, { keys: keys.sale(saleId), args });
    return perOrder<'shipped' | 'already'>(reply, shipments);
  };

  const settle: StockLedger['settle'] = async (saleId, orderIds) => {
    count(scripts.settle);
    const reply = await scripts.settle.run(connection, {
      keys: keys.sale(saleId),
      args: { saleId, orderId: orderIds },
    });
    return perOrder<'settled' | 'already' | 'gone'>(reply, orderIds);
  };

  const readHolds: StockLedger['readHolds'] = async (saleId, orderIds) => {
    count(scripts.readHolds);
    const [status, epoch, nowMs, ...stored] = await scripts.readHolds.run(connection, {
      keys: keys.sale(saleId),
      args: { saleId, orderId: orderIds },
    });
    if (status !== 'ok') return status as LedgerRefusal;
    const records = stored as string[];
    return {
      epoch: Number(epoch),
      nowMs: Number(nowMs),
      records: orderIds.map((orderId, index) =>
        records[index] ? parseHoldRecord(orderId, records[index]) : undefined,
      ),
    };
  };

  const snapshot: StockLedger['snapshot'] = async (saleId) => {
    const result: SaleSnapshot = { epoch: 0, fenced: false, products: {}, records: [] };
    let cursor = '0';
    do {
      const [status, epoch, fenced, , , next, stock, slice] = await scripts.snapshot.run(
        connection,
        {
          keys: keys.sale(saleId),
          args: { cursor, sliceSize: String(snapshotSliceSize) },
        },
      );
      if (status !== 'ok') return status as 'unknown_sale' | 'not_admitted';
      result.epoch = Number(epoch);
      result.fenced = fenced === '1';
      Object.assign(result.products, parseCounters(stock as string[]));
      const flat = slice as string[];
      for (let index = 0; index < flat.length; index += 2)
        result.records.push(parseHoldRecord(flat[index] ?? '', flat[index + 1] ?? ''));
      cursor = String(next);
    } while (cursor !== '0');
    // A slice may name a record twice while the hash grows.
    result.records = [...new Map(result.records.map((r) => [r.orderId, r])).values()];
    return result;
  };

  return {
    shards: keys.shards,
    reserve,
    release,
    readHolds,
    findKeys: (asked) => findKeys(connection, keys, asked),
    snapshot,
    settle,
    ship,
    claimDue: async (shard, { leaseMs, limit }) => {
      count(scripts.claimDue);
      const reply = await scripts.claimDue.run(connection, {
        keys: { admitted: keys.admitted(shard), due: keys.due(shard) },
        args: { leaseMs: String(leaseMs), limit: String(limit) },
      });
      return claimed(reply);
    },
    claimUnrecorded: async (shard, { ageMs, leaseMs, limit }) => {
      const reply = await scripts.claimUnrecorded.run(connection, {
        keys: { admitted: keys.admitted(shard), unrecorded: keys.unrecorded(shard) },
        args: { ageMs: String(ageMs), leaseMs: String(leaseMs), limit: String(limit) },
      });
      return claimed(reply);
    },
    strikeOff: async (saleId, orderIds) => {
      if (orderIds.length === 0) return;
      const members = orderIds.map((orderId) => `${saleId}/${orderId}`);
      const { unrecorded } = keys.sale(saleId);
      await guarded(connection.serverOf(unrecorded).client.zrem(unrecorded, ...members));
    },
    markUnrecorded: async (saleId, orderIds) => {
      count(scripts.markUnrecorded);
      const reply = await scripts.markUnrecorded.run(connection, {
        keys: keys.sale(saleId),
        args: { saleId, orderId: orderIds },
      });
      return perOrder<'marked' | 'already' | 'gone'>(reply, orderIds);
    },
    raise: async (saleId, productId, lastUnit) => {
      count(scripts.raise);
      const status = await scripts.raise.run(connection, {
        keys: keys.sale(saleId),
        args: { productId, lastUnit: String(lastUnit) },
      });
      return status as 'raised' | 'already' | LedgerRefusal;
    },
    lastUnits: async (saleId, productIds) => {
      const found: (number | null)[] = [];
      const { stock } = keys.sale(saleId);
      for (let from = 0; from < productIds.length; from += fieldsPerRead) {
        const fields = productIds.slice(from, from + fieldsPerRead).map((id) => `${id}:last`);
        const slice = await guarded(connection.serverOf(stock).client.hmget(stock, ...fields));
        found.push(...slice.map((last) => (last === null ? null : Number(last))));
      }
      return found;
    },
    putSale: async (settings, create) => {
      count(scripts.putSale);
      const status = await scripts.putSale.run(connection, {
        keys: keys.sale(settings.saleId),
        args: {
          create: create ? '1' : '0',
          settingsVersion: String(settings.settingsVersion),
          state: settings.state,
          opensAtMs: String(settings.opensAtMs),
          closesAtMs: String(settings.closesAtMs),
          perBuyerLimit: String(settings.perBuyerLimit),
          holdMs: String(settings.holdMs),
          durability: settings.durability,
          product: settings.products.flatMap(({ productId, price, away }) => [
            productId,
            String(price),
            away ? '1' : '0',
          ]),
        },
      });
      return status as 'put' | 'already' | LedgerRefusal;
    },
    fence: async (saleId, epoch) => {
      count(scripts.fence);
      const status = await scripts.fence.run(connection, {
        keys: keys.sale(saleId),
        args: { epoch: String(epoch) },
      });
      return status as 'fenced' | 'already' | 'not_admitted';
    },
    rebuild: async (saleId, turn, step) => {
      count(scripts.rebuild);
      const digests = step.kind === 'write' ? (step.keys ?? []).map((key) => key.digest) : [];
      const [status, figure] = await scripts.rebuild.run(connection, {
        keys: {
          ...keys.sale(saleId),
          free: productsOfStep(step).map((productId) => keys.free(saleId, productId)),
          idem: digests.map((digest) => keys.idem(saleId, digest)),
        },
        args: rebuildArguments(saleId, turn, step),
      });
      if (status === 'outdated') return { status, epoch: Number(figure) };
      if (status === 'incomplete') return { status, records: Number(figure) };
      return { status: status as 'ok' | 'not_admitted' | 'out_of_turn' };
    },
    saleStates: (saleIds) => saleStates(connection, keys, saleIds),
    markedOrders: (saleId) => guarded(markedOrders(connection, keys, saleId)),
    peekHolds: (saleId, orderIds) => guarded(peekHolds(connection, keys, { saleId, orderIds })),
    clock: async (saleId) => {
      const { client } = connection.serverOf(keys.sale(saleId).sale);
      const [seconds, microseconds] = await guarded(client.time());
      return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
    },
    shownStock: (products) => shownStock(connection, keys, products),
    pricedStock: (products) => pricedStock(connection, keys, products),
  };
}

/** Flat arguments of units named by order; they name their product by its place (from 1). */
function namedUnits(saleId: string, orders: readonly OrderUnits[]) {
  const products = [...new Set(orders.flatMap(({ units }) => Object.keys(units)))];
  const place = new Map(products.map((id, index) => [id, String(index + 1)]));
  const order = orders.flatMap(({ orderId, units }) => {
    const flat = Object.entries(units).flatMap(([productId, numbers]) =>
      numbers.flatMap((number) => [place.get(productId) ?? '', String(number)]),
    );
    return [orderId, String(flat.length / 2), ...flat];
  });
  const args = {
    saleId,
    orderCount: String(orders.length),
    productCount: String(products.length),
    productId: products,
    order,
  };
  return { products, args };
}

/** One status per order; a refusal of the whole call is everybody's. */
function perOrder<S extends string>(
  [status, ...statuses]: StatusReply,
  orders: readonly unknown[],
): (S | LedgerRefusal)[] {
  return status === 'ok' ? (statuses as S[]) : orders.map(() => status as LedgerRefusal);
}

function claimed([status, ...entries]: StatusReply): LedgerEntry[] | 'not_admitted' {
  if (status !== 'ok') return 'not_admitted';
  return entries.map((entry) => {
    const [saleId = '', orderId = ''] = String(entry).split('/');
    return { saleId, orderId };
  });
}

/** Plain commands outside scripts: any failure means that the ledger could not be asked. */
async function guarded<T>(command: Promise<T>): Promise<T> {
  try {
    return await command;
  } catch (error) {
    throw unavailable('The stock ledger is not reachable', error);
  }
}

function parseCounters(flat: readonly string[]): Record<string, ProductCounters> {
  const products: Record<string, ProductCounters> = {};
  for (let index = 0; index < flat.length; index += 2) {
    const [productId = '', counter = ''] = (flat[index] ?? '').split(':');
    const line = (products[productId] ??= { last: 0, next: 1, available: 0, held: 0, gone: 0 });
    if (counter in line) line[counter as keyof ProductCounters] = Number(flat[index + 1]);
  }
  return products;
}
