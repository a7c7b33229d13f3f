import { generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { keyIdOf, publicJwk, signAccessToken } from '@quicksale/shared/auth';
import { loadConfig } from '@quicksale/shared/config';
import { createLogger, type Logger } from '@quicksale/shared/log';
import { config as configTable } from '../src/config.ts';
import { buildService, type Gateway } from '../src/service.ts';

/** A request as it reached the service. */
export interface Seen {
  url: string;
  method: string;
  headers: IncomingMessage['headers'];
  body: string;
}

export interface FakeService {
  url: string;
  server: Server;
  seen: Seen[];
  /** From now on; without it `{}` is answered. */
  answerWith(answer: RequestListener): void;
  /** Forgets what it has seen and answers `{}` again. */
  reset(): void;
  /** A token of a customer that nobody has met before. */
  newToken(): string;
  stop(): Promise<void>;
}

const defaultAnswer: RequestListener = (_req, res) => {
  res.writeHead(200, { 'content-type': 'application/json' }).end('{}');
};

/** All services behind the gateway in one: it notes what arrives and answers as the test wants. */
export async function startFakeService(): Promise<FakeService> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const seen: Seen[] = [];
  let answer = defaultAnswer;
  let users = 0;
  const server = createServer((req, res) => {
    if (req.url === '/.well-known/jwks.json')
      return void res.end(JSON.stringify({ keys: [publicJwk(privateKey)] }));
    let body = '';
    req.on('data', (chunk: Buffer) => (body += chunk.toString()));
    req.on('end', () => {
      seen.push({ url: req.url ?? '', method: req.method ?? '', headers: req.headers, body });
      answer(req, res);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    seen,
    answerWith: (next) => (answer = next),
    reset: () => {
      seen.length = 0;
      answer = defaultAnswer;
    },
    newToken: () =>
      signAccessToken({
        privateKey,
        kid: keyIdOf(privateKey),
        issuer: 'quicksale',
        audience: 'quicksale',
        userId: (users += 1).toString(16).padStart(24, '0'),
        role: 'CUSTOMER',
        sessionId: 's',
        nowMs: Date.now(),
        lifetimeSeconds: 900,
        jti: 'j',
      }),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

export interface GatewaySettings {
  namespace: string;
  /** Where every service is. */
  serviceUrl: string;
  /** Variables for the gateway. */
  env?: Readonly<Record<string, string>>;
  log?: Logger;
  upstreamTimeoutMs?: number;
}

/** A gateway on free ports that is not started yet. */
export function buildGateway(settings: GatewaySettings): Gateway {
  const { serviceUrl } = settings;
  const config = loadConfig(configTable, {
    REDIS_URL: process.env.REDIS_URL,
    NAMESPACE: settings.namespace,
    INTERNAL_KEY: 'internal-key-of-the-test',
    GATEWAY_PORT: '0',
    GATEWAY_ADMIN_PORT: '0',
    JWKS_URL: `${serviceUrl}/.well-known/jwks.json`,
    AUTH_SERVICE_URL: serviceUrl,
    INVENTORY_SERVICE_URL: serviceUrl,
    ORDER_SERVICE_URL: serviceUrl,
    NOTIFIER_SERVICE_URL: serviceUrl,
    RATE_LIMIT_DEFAULT: '100000/60',
    ...settings.env,
  });
  const log = settings.log ?? createLogger({ service: 'test', level: 'silent' });
  return buildService(config, log, { upstreamTimeoutMs: settings.upstreamTimeoutMs ?? 400 });
}

/** Lets `use` have a gateway that runs. */
export async function withGateway<T>(
  gateway: Gateway,
  use: (base: string) => Promise<T>,
): Promise<T> {
  await gateway.start();
  try {
    return await use(`http://127.0.0.1:${gateway.port()}`);
  } finally {
    await gateway.stop();
  }
}

/** A sample of the gateway's metrics, by its name and labels as they are written there. */
export async function readMetric(gateway: Gateway, sample: string): Promise<number> {
  const reply = await fetch(`http://127.0.0.1:${gateway.adminPort()}/metrics`);
  const line = (await reply.text()).split('\n').find((one) => one.startsWith(`${sample} `));
  return Number(line?.slice(sample.length) ?? Number.NaN);
}

export interface RawClient {
  socket: Socket;
  received(): string;
  /** Resolves to all that came when the other side has closed for good. */
  closed: Promise<string>;
}

/**
 * A connection that sends bytes as they are. It never closes by itself: when the other side has said
 * that it will send no more, it goes on sending until it is told that nobody is there.
 */
export function openRaw(port: number, text: string, localAddress = '127.0.0.1'): RawClient {
  let received = '';
  const socket = connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true });
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  let dribble: NodeJS.Timeout | undefined;
  socket.once('end', () => (dribble = setInterval(() => socket.write('\r\n'), 50)));
  socket.once('close', () => clearInterval(dribble));
  if (text) socket.write(text, 'latin1');
  const closed = new Promise<string>((done) => socket.once('close', () => done(received)));
  return { socket, received: () => received, closed };
}

/** Bytes as an attacker sends them; resolves to all that comes back until the end. */
export function sendRaw(port: number, text: string): Promise<string> {
  const { socket, closed } = openRaw(port, text);
  socket.once('end', () => socket.destroy());
  return closed;
}
