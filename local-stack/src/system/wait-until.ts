import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Asks again until the answer is true; rejects when the signal ends the waiting. */
export async function waitUntil(
  condition: () => Promise<boolean>,
  options: { signal: AbortSignal; intervalMs: number },
): Promise<void> {
  for (;;) {
    options.signal.throwIfAborted();
    if (await condition()) {
      return;
    }
    await sleep(options.intervalMs, undefined, { signal: options.signal });
  }
}

/** Sends bytes to a loopback port and returns what came back once `isComplete` says so. */
export async function exchangeBytes(options: {
  port: number;
  request: Buffer;
  isComplete: (reply: Buffer) => boolean;
  timeoutMs: number;
}): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port: options.port, host: '127.0.0.1' });
    let reply = Buffer.alloc(0);
    const finish = (result: Buffer | undefined): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(options.timeoutMs, () => finish(undefined));
    socket.once('connect', () => socket.write(options.request));
    socket.once('error', () => finish(undefined));
    socket.once('close', () => finish(undefined));
    socket.on('data', (bytes) => {
      reply = Buffer.concat([reply, bytes]);
      if (options.isComplete(reply)) {
        finish(reply);
      }
    });
  });
}
