import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface LedgerGate {
  /** The ledger's address for its clients, whichever server has it. */
  url: string;
  /** Connections made from now on lead there; those that are open stay where they are. */
  moveTo(url: string): void;
  /** Ends all connections that lead to this server. */
  cut(url: string): void;
}

/** The way to a ledger that can fail over: as of a virtual address that moves from server to server. */
export async function openLedgerGate(
  first: string,
): Promise<LedgerGate & { close(): Promise<void> }> {
  let target = first;
  /** Which server each open connection leads to. */
  const open = new Map<Socket, string>();
  const server = createServer((near) => {
    const { hostname, port } = new URL(target);
    const far = connect(Number(port), hostname);
    open.set(near, target);
    near.pipe(far).pipe(near);
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
    near.on('close', () => {
      open.delete(near);
      far.destroy();
    });
    far.on('close', () => near.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const cut = (url?: string) => {
    for (const [near, to] of open) if (!url || to === url) near.destroy();
  };
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    moveTo: (url) => {
      target = url;
    },
    cut,
    close: async () => {
      cut();
      await new Promise((done) => server.close(done));
    },
  };
}
