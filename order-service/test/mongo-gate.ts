import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface MongoGate {
  /** The database's address, through the gate. */
  url: string;
  /** From now on nothing passes, and nobody is told so. */
  shut(): void;
  /** From now on connections are refused, and those that were open are gone. */
  cut(): void;
  /** From now on everything passes, what the database says only after this time. */
  open(answerDelayMs?: number): void;
  close(): Promise<void>;
}

/** A way to MongoDB that can be slow, be cut off, or stop passing anything while its connections stay open. */
export async function openMongoGate(mongoUrl: string): Promise<MongoGate> {
  const { hostname, port } = new URL(mongoUrl);
  const sockets = new Set<Socket>();
  let isShut = false;
  let delayMs = 0;
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => {
        if (isShut) return;
        if (from === far && delayMs > 0) setTimeout(() => to.write(bytes), delayMs);
        else to.write(bytes);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const nearPort = (server.address() as AddressInfo).port;
  const url = new URL(mongoUrl);
  url.hostname = '127.0.0.1';
  url.port = String(nearPort);
  return {
    url: url.href,
    shut: () => {
      isShut = true;
    },
    cut: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
    open: (answerDelayMs = 0) => {
      if (!server.listening) server.listen(nearPort, '127.0.0.1');
      isShut = false;
      delayMs = answerDelayMs;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
