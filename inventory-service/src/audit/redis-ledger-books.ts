import { unavailable } from '@quicksale/shared/errors';
import type { RedisServers } from '@quicksale/shared/redis';
import { parseHoldRecord, type LedgerKeys } from '@quicksale/shared/stock-ledger';
import type { BookedProduct, BookedRecord, LedgerBooks, Unjudged } from './ledger-books.ts';

const recordsPerPiece = 500;
const unitsPerPiece = 5_000;
const counterNames = ['last', 'next', 'available', 'held', 'gone'] as const;

const settings = ['perBuyerLimit', 'settingsVersion'] as const;

type Command = readonly [name: string, ...args: (string | number)[]];

export function createRedisLedgerBooks(servers: RedisServers, keys: LedgerKeys): LedgerBooks {
  /** Commands on one sale as one transaction: all of it is of the same instant. */
  async function atOnce(saleId: string, commands: readonly Command[]): Promise<unknown[]> {
    const { client } = servers.serverOf(keys.sale(saleId).sale);
    const all = commands.map(([name, ...args]) => [name, ...args.map(String)]);
    try {
      const replies = (await client.multi(all).exec()) ?? [];
      return replies.map(([error, reply]) => {
        if (error) throw error;
        return reply;
      });
    } catch (error) {
      throw unavailable('The stock ledger is not reachable', error);
    }
  }

  /** What says whether the sale can be judged, before and within each transaction. */
  const state = (saleId: string): Command[] => [
    ['get', keys.sale(saleId).admitted],
    ['hmget', keys.sale(saleId).sale, 'epoch', 'fenced', ...settings],
  ];
  const runOf = (saleId: string) => servers.serverOf(keys.sale(saleId).sale).runId();

  function judge(runId: string, admitted: unknown, sale: unknown): number | Unjudged {
    const [epoch, fenced] = sale as [string | null, string | null];
    if (admitted !== runId) return 'not_admitted';
    if (epoch === null) return 'unknown_sale';
    return fenced === '1' ? 'fenced' : Number(epoch);
  }

  async function marksOf(saleId: string, orderIds: readonly string[]): Promise<boolean[]> {
    if (orderIds.length === 0) return [];
    const members = orderIds.map((orderId) => `${saleId}/${orderId}`);
    const [scores] = await atOnce(saleId, [['zmscore', keys.sale(saleId).unrecorded, ...members]]);
    return (scores as (string | null)[]).map((score) => score !== null);
  }

  return {
    readCounters: async (saleId) => {
      const runId = runOf(saleId);
      const { stock, holds } = keys.sale(saleId);
      const [fields] = await atOnce(saleId, [['hkeys', stock]]);
      const productIds = [
        ...new Set((fields as string[]).map((field) => field.split(':')[0] ?? '')),
      ];
      const [admitted, sale, lines, records, time, ...free] = await atOnce(saleId, [
        ...state(saleId),
        ['hgetall', stock],
        ['hlen', holds],
        ['time'],
        ...productIds.map((id): Command => ['zcard', keys.free(saleId, id)]),
      ]);
      const epoch = judge(runId, admitted, sale);
      if (typeof epoch === 'string') return epoch;
      const [seconds, microseconds] = time as [string, string];
      const [, , perBuyerLimit, settingsVersion] = sale as (string | null)[];
      return {
        epoch,
        nowMs: Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000),
        records: Number(records),
        perBuyerLimit: Number(perBuyerLimit ?? 0),
        settingsVersion: Number(settingsVersion ?? 0),
        products: new Map(
          productIds.flatMap((id, index): [string, BookedProduct][] => {
            const line = readLine(lines, id);
            return line ? [[id, { ...line, free: Number(free[index]) }]] : [];
          }),
        ),
      };
    },

    scanRecords: async (saleId, cursor) => {
      const { holds } = keys.sale(saleId);
      const [scanned] = await atOnce(saleId, [['hscan', holds, cursor, 'COUNT', recordsPerPiece]]);
      const [next, flat] = scanned as [string, string[]];
      const stored = flat.flatMap((orderId, index) =>
        index % 2 === 0 ? [[orderId, flat[index + 1] ?? ''] as const] : [],
      );
      const marks = await marksOf(
        saleId,
        stored.map(([orderId]) => orderId),
      );
      const records = stored.map(([orderId, text], index) =>
        booked(orderId, text, marks[index] === true),
      );
      return { records, next };
    },

    readRecords: async (saleId, orderIds) => {
      const runId = runOf(saleId);
      const { holds, unrecorded } = keys.sale(saleId);
      if (orderIds.length === 0) return { epoch: 0, records: [] };
      const [admitted, sale, stored, marks] = await atOnce(saleId, [
        ...state(saleId),
        ['hmget', holds, ...orderIds],
        ['zmscore', unrecorded, ...orderIds.map((orderId) => `${saleId}/${orderId}`)],
      ]);
      const epoch = judge(runId, admitted, sale);
      if (typeof epoch === 'string') return epoch;
      const texts = stored as (string | null)[];
      const scores = marks as (string | null)[];
      return {
        epoch,
        records: orderIds.map((orderId, index) => {
          const text = texts[index];
          return text ? booked(orderId, text, scores[index] !== null) : undefined;
        }),
      };
    },

    listFree: async (saleId, productId, after) => {
      const [units] = await atOnce(saleId, [
        [
          'zrangebyscore',
          keys.free(saleId, productId),
          `(${after}`,
          '+inf',
          'LIMIT',
          0,
          unitsPerPiece,
        ],
      ]);
      return (units as string[]).map(Number);
    },

    findFree: async (saleId, productId, units) => {
      if (units.length === 0) return [];
      const [scores] = await atOnce(saleId, [['zmscore', keys.free(saleId, productId), ...units]]);
      return units.filter((_, index) => (scores as (string | null)[])[index] !== null);
    },

    countUnrecorded: async () => {
      const shards = Array.from({ length: keys.shards }, (_, shard) => keys.unrecorded(shard));
      const counts = await Promise.all(
        shards.map((key) =>
          servers
            .serverOf(key)
            .client.zcard(key)
            .catch((error: unknown) => {
              throw unavailable('The stock ledger is not reachable', error);
            }),
        ),
      );
      return counts.reduce((sum, count) => sum + count, 0);
    },
  };
}

/** A product that has a price and no stock yet has no line. */
function readLine(lines: unknown, productId: string) {
  const fields = asFields(lines);
  const line = Object.fromEntries(
    counterNames.map((name) => [name, Number(fields[`${productId}:${name}`])]),
  ) as Record<(typeof counterNames)[number], number>;
  return fields[`${productId}:last`] === undefined ? undefined : line;
}

/** Within a transaction a hash may come as a flat list. */
function asFields(lines: unknown): Record<string, string> {
  if (!Array.isArray(lines)) return lines as Record<string, string>;
  const flat = lines as string[];
  return Object.fromEntries(
    flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? '']] : [])),
  );
}

function booked(orderId: string, text: string, isUnrecorded: boolean): BookedRecord {
  const { facts: _facts, prices: _prices, ...rest } = parseHoldRecord(orderId, text);
  return { ...rest, isUnrecorded };
}
