import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApiClient, openStatusSocket, type ApiClient } from '@quicksale/loadtest/client';
import {
  createTokenSigner,
  startServers,
  startServices,
  type Servers,
} from '@quicksale/local-stack';
import type { Role } from '@quicksale/shared/contracts';
import { createLogger } from '@quicksale/shared/log';
import { connectMongo, type Mongo } from '@quicksale/shared/mongo';
import { connectRedis, type RedisConnection } from '@quicksale/shared/redis';
import {
  createRedisStockLedger,
  ledgerKeys,
  type StockLedger,
} from '@quicksale/shared/stock-ledger';
import { testNamespace } from '@quicksale/shared/testing';

/** All six processes, running for one test file, and what a test needs to use and to look into them. */
export interface System {
  env: Readonly<Record<string, string>>;
  namespace: string;
  supervisor: Servers['supervisor'];
  /** Through the gateway. */
  api: ApiClient;
  signIn(role?: Role, userId?: string): { userId: string; token: string };
  socketUrl: { direct: string; gateway: string };
  openSocket: typeof openStatusSocket;
  /** Makes a product with this stock, as a new merchant, and resolves to its ids. */
  givenProduct(stock: number): Promise<{ productId: string; saleId: string; token: string }>;
  ledger: StockLedger;
  ledgerRedis: RedisConnection;
  mongo: Mongo;
  stop(): Promise<void>;
}

/**
 * Starts the whole system. Its servers are those of the environment, or its own when a test is going
 * to kill them ('ledger': only that one). `settings` are more variables for the processes.
 */
export async function startSystem(options: {
  name: string;
  ownServers?: boolean | 'ledger';
  settings?: Readonly<Record<string, string>>;
}): Promise<System> {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'quicksale-e2e-'));
  const namespace = testNamespace(options.name);
  const { MONGO_URL, REDIS_URL, REDIS_LEDGER_URL, KAFKA_BROKERS, ...rest } = process.env;
  const others = { MONGO_URL, REDIS_URL, KAFKA_BROKERS };
  const given = options.ownServers === 'ledger' ? others : { ...others, REDIS_LEDGER_URL };
  const servers = await startServers({
    dataDirectory,
    ports: 'free',
    env: options.ownServers === true ? rest : { ...rest, ...given },
    report: () => undefined,
  });
  const { env } = await startServices({
    urls: servers.urls,
    // Test clients send no more than buyers would, but from one address.
    env: { ...rest, NAMESPACE: namespace, LOG_LEVEL: 'info', ...options.settings },
    supervisor: servers.supervisor,
    ports: 'free',
    dataDirectory,
    report: () => undefined,
  });
  const variable = (name: string) => {
    const value = env[name];
    if (!value) throw new Error(`the services were given no ${name}`);
    return value;
  };
  const sign = await createTokenSigner({
    privateKeyFile: variable('JWT_PRIVATE_KEY_FILE'),
    issuer: variable('JWT_ISSUER'),
    audience: variable('JWT_AUDIENCE'),
  });
  const api = createApiClient(variable('GATEWAY_URL'));
  const log = createLogger({ service: 'e2e', level: 'silent' });
  const mongo = connectMongo({ url: servers.urls.MONGO_URL, namespace, log });
  const ledgerRedis = connectRedis({ url: servers.urls.REDIS_LEDGER_URL, name: 'ledger', log });
  await Promise.all([mongo.start(), ledgerRedis.start()]);
  let products = 0;

  return {
    env: { ...env, NAMESPACE: namespace },
    namespace,
    supervisor: servers.supervisor,
    api,
    signIn: (role = 'CUSTOMER', userId) => sign(role, userId),
    socketUrl: {
      direct: variable('NOTIFIER_SERVICE_URL').replace('http', 'ws'),
      gateway: `${variable('GATEWAY_URL').replace('http', 'ws')}/ws`,
    },
    openSocket: openStatusSocket,
    givenProduct: async (stock) => {
      const merchant = sign('MERCHANT');
      products += 1;
      const answer = await api.call('/api/inventory/products', {
        token: merchant.token,
        body: {
          name: `Lamp ${products}`,
          description: 'A lamp',
          price: 49.99,
          originalPrice: 99.99,
          stock,
          sku: `LAMP-${products}`,
          category: 'lamps',
        },
      });
      if (answer.status !== 201) throw new Error(`no product: ${answer.text}`);
      const { _id } = answer.body.product as { _id: string };
      return { productId: _id, saleId: merchant.userId, token: merchant.token };
    },
    ledger: createRedisStockLedger({
      connection: ledgerRedis,
      keys: ledgerKeys(namespace, Number(env.LEDGER_SHARDS ?? 16)),
    }),
    ledgerRedis,
    mongo,
    stop: async () => {
      await Promise.all([mongo.stop(), ledgerRedis.stop()]);
      await servers.stop();
      tellDefects(join(dataDirectory, 'logs'));
      rmSync(dataDirectory, { recursive: true, force: true });
    },
  };
}

/** What a service has answered 500 for is in its log alone, which goes with the system. */
function tellDefects(logs: string): void {
  if (!existsSync(logs)) return;
  const lines = readdirSync(logs).flatMap((file) =>
    readFileSync(join(logs, file), 'utf8').split('\n'),
  );
  for (const line of lines.filter((one) => one.includes('"request failed"')).slice(0, 5))
    process.stderr.write(`${line}\n`);
}
