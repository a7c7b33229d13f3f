import type { LedgerServer as AdmittedServer } from '@quicksale/inventory-service/src/admission/ledger-server.ts';
import {
  ownsUnits,
  type OwningOrder,
} from '@quicksale/inventory-service/src/admission/recent-orders.ts';
import type {
  BookedRecord,
  LedgerBooks,
  Unjudged,
} from '@quicksale/inventory-service/src/audit/ledger-books.ts';
import { unitsByProduct, type HoldRecord, type LedgerKeys } from '@quicksale/shared/stock-ledger';
import type { ConnectedLedger, LedgerServer } from './simulated-ledger.ts';
import type { World } from './world.ts';

const saleOf = (server: LedgerServer, saleId: string) => server.memory.state.sales.get(saleId);

/** The server as admission sees it: plain reads and writes, each one at an instant of its own. */
export function ledgerServerOver(
  { plain, runId }: ConnectedLedger,
  keys: LedgerKeys,
): AdmittedServer {
  const shards = Array.from({ length: keys.shards }, (_, shard) => shard);
  const isForSale = (server: LedgerServer, { saleId, units }: OwningOrder) =>
    Object.entries(unitsByProduct(units)).some(([productId, numbers]) => {
      const sale = saleOf(server, saleId);
      const next = sale?.lines.get(productId)?.next ?? 0;
      const free = sale?.free.get(productId) ?? [];
      return numbers.some((number) => number >= next || free.includes(number));
    });
  return {
    findUnchecked: async () => {
      const run = runId();
      const isChecked = await plain('admitted', ({ admitted }) =>
        shards.every((shard) => admitted.get(shard) === run),
      );
      return isChecked ? [] : shards.map((shard) => ({ shard, runId: run }));
    },
    shardOf: keys.shardOf,
    admit: (runs) =>
      plain(
        'admit',
        ({ admitted }) => runs.forEach((run) => admitted.set(run.shard, run.runId)),
        true,
      ),
    findForgotten: (sales) =>
      plain('known sales', (server) => {
        const known = sales.map((sale) => ({ ...sale, at: saleOf(server, sale.saleId)?.settings }));
        const isOutdated = ({ at, putVersion }: (typeof known)[number]) =>
          at !== undefined && (at.settingsVersion ?? 0) < putVersion;
        const ids = (some: typeof known) => some.map(({ saleId }) => saleId);
        return {
          unknown: ids(known.filter(({ at }) => !at)),
          outdated: ids(known.filter(isOutdated)),
        };
      }),
    findMissing: (orders) =>
      plain('missing orders', (server) => ({
        records: orders
          .filter(ownsUnits)
          .filter(({ id, saleId }) => !saleOf(server, saleId)?.holds.has(id)),
        keys: orders.filter(
          ({ saleId, idempotencyDigest: digest }) =>
            digest && !server.memory.state.idem.has(keys.idem(saleId, digest)),
        ),
      })),
    findForSale: (orders) =>
      plain('for sale', (server) => orders.filter((order) => isForSale(server, order))),
    restoreKeys: (orders) =>
      plain(
        'restore keys',
        ({ memory: { state } }) => {
          for (const { id, saleId, idempotencyDigest: digest, requestFingerprint } of orders) {
            const key = keys.idem(saleId, digest ?? '');
            if (digest && !state.idem.has(key)) state.idem.set(key, `${id} ${requestFingerprint}`);
          }
        },
        true,
      ),
    fence: (saleIds) =>
      plain(
        'fence unchecked',
        (server) => {
          for (const saleId of saleIds) {
            const sale = saleOf(server, saleId);
            if (sale) sale.settings.fenced = true;
          }
        },
        true,
      ),
  };
}

const recordsPerPiece = 3;

/** The ledger as the auditor reads it, piece by piece. */
export function ledgerBooksOver(
  { plain }: ConnectedLedger,
  keys: LedgerKeys,
  world: World,
): LedgerBooks {
  const judge = (server: LedgerServer, saleId: string): Unjudged | undefined => {
    const sale = saleOf(server, saleId);
    if (server.admitted.get(keys.shardOf(saleId)) !== server.runId) return 'not_admitted';
    if (!sale) return 'unknown_sale';
    return sale.settings.fenced ? 'fenced' : undefined;
  };
  const booked = (server: LedgerServer, saleId: string, record: HoldRecord): BookedRecord => {
    const { facts: _facts, prices: _prices, ...rest } = record;
    const marks = server.memory.state.unrecorded.get(keys.sale(saleId).unrecorded);
    return { ...rest, isUnrecorded: marks?.has(`${saleId}/${record.orderId}`) === true };
  };
  return {
    readCounters: (saleId) =>
      plain('books.counters', (server) => {
        const sale = saleOf(server, saleId);
        const unjudged = judge(server, saleId);
        if (unjudged || !sale) return unjudged ?? 'unknown_sale';
        const products = [...sale.lines].flatMap(([id, line]) => {
          const { last, next = 1, available = 0, held = 0, gone = 0 } = line;
          const free = sale.free.get(id)?.length ?? 0;
          return last === undefined
            ? []
            : [[id, { last, next, available, held, gone, free }] as const];
        });
        return {
          epoch: sale.settings.epoch,
          nowMs: world.now(),
          records: sale.holds.size,
          settingsVersion: sale.settings.settingsVersion ?? 0,
          perBuyerLimit: sale.settings.perBuyerLimit ?? 0,
          products: new Map(products),
        };
      }),
    scanRecords: async (saleId, cursor) => {
      const { found, next } = await plain('books.scan', (server) => {
        const after = cursor === '0' ? '' : cursor;
        const holds = saleOf(server, saleId)?.holds ?? new Map<string, HoldRecord>();
        const ids = [...holds.keys()].sort().filter((id) => id > after);
        const page = ids.slice(0, recordsPerPiece);
        return {
          found: page.flatMap((id) => holds.get(id) ?? []),
          next: ids.length <= recordsPerPiece ? '0' : (page.at(-1) ?? '0'),
        };
      });
      // Marks after the records, as the real one reads them.
      const records = await plain('books.marks', (server) =>
        found.map((record) => booked(server, saleId, record)),
      );
      return { records, next };
    },
    readRecords: (saleId, orderIds) =>
      plain('books.records', (server) => {
        const unjudged = judge(server, saleId);
        const sale = saleOf(server, saleId);
        if (unjudged || !sale) return unjudged ?? 'unknown_sale';
        const records = orderIds.map((id) => {
          const record = sale.holds.get(id);
          return record && booked(server, saleId, record);
        });
        return { epoch: sale.settings.epoch, records };
      }),
    listFree: (saleId, productId, after) =>
      plain('books.free', (server) =>
        (saleOf(server, saleId)?.free.get(productId) ?? []).filter((number) => number > after),
      ),
    findFree: (saleId, productId, units) =>
      plain('books.findFree', (server) => {
        const free = saleOf(server, saleId)?.free.get(productId) ?? [];
        return units.filter((unit) => free.includes(unit));
      }),
    countUnrecorded: () =>
      plain('books.unrecorded', ({ memory: { state } }) =>
        [...state.unrecorded.values()].reduce((sum, set) => sum + set.size, 0),
      ),
  };
}
