import { setTimeout as sleep } from 'node:timers/promises';
import type { Registry } from '@prometheus-io/client';
import mongoose, { type Connection } from 'mongoose';
import type { Logger } from '../log/index.ts';
import type { Part } from '../process/service.ts';
import { createCommandCounter } from './command-counter.ts';
import { endLostWrites } from './lost-writes.ts';

export type Db = mongoose.mongo.Db;

export interface Mongo extends Part {
  /** For documents with a schema; filters from outside are sanitised. */
  connection: Connection;
  /** The native driver, for documents that are written in bulk. */
  db(): Db;
  /** False while no server that takes writes is known: whoever needs one can refuse at once. */
  isReachable(): boolean;
}

/** Longest that an operation on the order path is waited for. */
export const operationLimitMs = 2_000;
/** A socket on which nothing has come for so long is given up; index builds take a while. */
const socketLimitMs = 60_000;

const writableServers = new Set(['Standalone', 'RSPrimary', 'Mongos', 'LoadBalancer']);

/**
 * A connection that opens at start (waiting for the server as long as it takes) and heals by
 * itself. Writes are acknowledged by a majority and journalled; reads that lead to an effect see
 * only such writes.
 */
export function connectMongo(options: {
  url: string;
  namespace: string;
  log: Logger;
  metrics?: Registry;
}): Mongo {
  endLostWrites();
  const connection = mongoose.createConnection();
  connection.set('strictQuery', 'throw');
  connection.set('sanitizeFilter', true);
  connection.set('sanitizeProjection', true);
  connection.set('autoIndex', false);
  connection.set('autoCreate', false);
  connection.set('bufferCommands', false);
  const countCommand = options.metrics && createCommandCounter(options.metrics);
  let reachable = false;
  let stopping = false;

  async function start(): Promise<void> {
    for (let attempt = 0; !stopping; attempt += 1) {
      try {
        await connection.openUri(options.url, {
          dbName: options.namespace ? `quicksale_${options.namespace}` : 'quicksale',
          serverSelectionTimeoutMS: operationLimitMs,
          heartbeatFrequencyMS: 1_000,
          connectTimeoutMS: operationLimitMs,
          waitQueueTimeoutMS: operationLimitMs,
          socketTimeoutMS: socketLimitMs,
          monitorCommands: countCommand !== undefined,
          maxPoolSize: 20,
          retryWrites: false,
          writeConcern: { w: 'majority', journal: true },
          readConcern: { level: 'majority' },
        });
        break;
      } catch (error) {
        // The driver's error carries its whole view of the servers.
        const { message } = error as Error;
        if (attempt % 10 === 0) options.log.warn({ reason: message }, 'waiting for MongoDB');
        await sleep(300);
      }
    }
    if (stopping) return;
    reachable = true;
    // The driver notices a lost server at the first failed operation or heartbeat.
    const client = connection.getClient();
    client.on('topologyDescriptionChanged', ({ newDescription }) => {
      const before = reachable;
      reachable = [...newDescription.servers.values()].some((s) => writableServers.has(s.type));
      if (before && !reachable) options.log.warn('MongoDB is not reachable');
      if (!before && reachable) options.log.info('MongoDB is reachable again');
    });
    if (countCommand) client.on('commandStarted', countCommand);
  }

  return {
    name: 'mongo',
    connection,
    db: () => {
      const db = connection.db;
      if (!db) throw new Error('MongoDB is used before start');
      return db;
    },
    isReachable: () => reachable,
    start,
    stop: async () => {
      stopping = true;
      await connection.close();
    },
    check: () => Promise.resolve(reachable ? undefined : 'no server that takes writes'),
  };
}
