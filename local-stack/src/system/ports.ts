import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { tryCommand } from './run-command.ts';
import type { Environment } from './report.ts';
import { StackError } from './stack-error.ts';

// Below the range from which systems take the ports of outgoing connections (32768 and up on
// Linux): there, a port that is free now could be taken while its server is being restarted.
const firstFreePort = 20_000;
const portsPerWorker = 1_500;
const workers = 8;
const handedOut = new Set<number>();

/**
 * Ports nobody listens on; no two calls in this process get the same one. Jest numbers its workers
 * from 1: each has a range of its own, lest it takes a port whose owner, in another one, has not begun
 * to listen yet or was just killed.
 */
export async function findFreePorts(count: number, env: Environment): Promise<number[]> {
  const worker = Number(env.JEST_WORKER_ID ?? 0) % workers;
  const held: { port: number; server: Server }[] = [];
  try {
    while (held.length < count) {
      const nth = worker * portsPerWorker + Math.floor(Math.random() * portsPerWorker);
      const port = firstFreePort + nth;
      const server = handedOut.has(port) ? undefined : await listenOn(port);
      if (server !== undefined) {
        handedOut.add(port);
        held.push({ port, server });
      }
    }
    return held.map(({ port }) => port);
  } finally {
    await Promise.all(held.map(async ({ server }) => closeServer(server)));
  }
}

export async function isPortFree(port: number): Promise<boolean> {
  const server = await listenOn(port);
  if (server === undefined) {
    return false;
  }
  await closeServer(server);
  return true;
}

/** Throws with the holder's name and the variable that moves the port. */
export async function requireFreePort(
  port: number,
  variable: string,
  env: Environment,
): Promise<void> {
  if (await isPortFree(port)) {
    return;
  }
  const holder = await describePortHolder(port, env);
  throw new StackError(`port ${port} is in use by ${holder}`, {
    fix: `End it, or choose another port: ${variable}=<port> npm start`,
  });
}

export async function describePortHolder(port: number, env: Environment): Promise<string> {
  const options = { env, timeoutMs: 3000 };
  const sockets = await tryCommand('ss', ['-Hltnp', `sport = :${port}`], options);
  const found = /users:\(\("([^"]+)",pid=(\d+)/.exec(sockets ?? '');
  if (found !== null) {
    return `${found[1]} (process ${found[2]})`;
  }
  const files = await tryCommand('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'], options);
  const process = /^p(\d+)\nc(.+)$/m.exec(files ?? '');
  return process === null ? 'another program' : `${process[2]} (process ${process[1]})`;
}

export function readPort(env: Environment, variable: string, standard: number): number {
  const text = env[variable];
  if (text === undefined || text === '') {
    return standard;
  }
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new StackError(`${variable}=${text} is not a port number`, {
      fix: `Set ${variable} to a number from 1 to 65535, or leave it out.`,
    });
  }
  return port;
}

async function listenOn(port: number): Promise<Server | undefined> {
  const server = createServer();
  try {
    server.listen({ port, host: '127.0.0.1', exclusive: true });
    await once(server, 'listening');
    return server;
  } catch {
    return undefined;
  }
}

async function closeServer(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}
