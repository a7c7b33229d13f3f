import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { createTokenSigner, readEnvFile, type DeveloperToken } from '@quicksale/local-stack';
import type { Role } from '@quicksale/shared/contracts';
import { createLogger } from '@quicksale/shared/log';
import { connectMongo, type Mongo } from '@quicksale/shared/mongo';
import { connectRedis } from '@quicksale/shared/redis';
import {
  createRedisStockLedger,
  ledgerKeys,
  type StockLedger,
} from '@quicksale/shared/stock-ledger';
import { createApiClient, type ApiClient } from '../client/index.ts';

/** A running `npm start`, as a benchmark uses it and audits it. */
export interface RunningStack {
  api: ApiClient;
  socketUrl: string;
  sign: (role: Role) => DeveloperToken;
  ledger: StockLedger;
  mongo: Mongo;
  /** Of inventory-service's admin port, and the key to it. */
  inventoryAdmin: { url: string; internalKey: string };
  machine: string;
  close(): Promise<void>;
}

/** Connects to the stack whose files are in `dataDirectory`. */
export async function connectStack(dataDirectory: string): Promise<RunningStack> {
  const env = await readEnvFile(join(dataDirectory, 'env'));
  const variable = (name: string) => {
    const value = env[name];
    if (!value) throw new Error(`${name} is not known: run npm start first`);
    return value;
  };
  // The connections below wait for servers that come later; nobody starts any for a benchmark.
  await fetch(`${variable('GATEWAY_URL')}/health`).catch((cause: unknown) => {
    throw new Error('QuickSale does not answer: run npm start first', { cause });
  });
  const log = createLogger({ service: 'bench', level: 'silent' });
  const mongo = connectMongo({ url: variable('MONGO_URL'), namespace: env.NAMESPACE ?? '', log });
  const redis = connectRedis({ url: variable('REDIS_LEDGER_URL'), name: 'ledger', log });
  await Promise.all([mongo.start(), redis.start()]);
  return {
    api: createApiClient(variable('GATEWAY_URL')),
    socketUrl: variable('NOTIFIER_SERVICE_URL').replace('http', 'ws'),
    sign: await createTokenSigner({
      privateKeyFile: variable('JWT_PRIVATE_KEY_FILE'),
      issuer: variable('JWT_ISSUER'),
      audience: variable('JWT_AUDIENCE'),
    }),
    ledger: createRedisStockLedger({
      connection: redis,
      keys: ledgerKeys(env.NAMESPACE ?? '', Number(env.LEDGER_SHARDS ?? 16)),
    }),
    mongo,
    inventoryAdmin: {
      url: variable('INVENTORY_SERVICE_ADMIN_URL'),
      internalKey: variable('INTERNAL_KEY'),
    },
    machine: `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
    close: async () => {
      await Promise.all([mongo.stop(), redis.stop()]);
    },
  };
}
