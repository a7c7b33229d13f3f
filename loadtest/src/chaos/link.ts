import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a link does to what passes it; everything passes at once where nothing is set. */
export interface LinkTrouble {
  /** Every piece comes so much later, both ways. */
  delayMs?: number;
  /** Nothing passes, and nobody is told so. */
  isBlackhole?: boolean;
  /** Connections are refused. */
  isDown?: boolean;
  /** What was asked arrives; in place of the answer the connection breaks. */
  losesAnswers?: boolean;
}

/** The way from a process to a server: TCP, with trouble on demand. */
export interface Link {
  name: string;
  port: number;
  set(trouble: LinkTrouble): void;
  /** Breaks every connection that is open. */
  reset(): void;
  close(): Promise<void>;
}

interface Pair {
  near: Socket;
  far: Socket;
}

/**
 * Opens a link to one or several ports; of several, connections go to each in turn, and past one that
 * does not listen, as a load balancer would do it.
 */
export async function openLink(name: string, targets: readonly number[]): Promise<Link> {
  const pairs = new Set<Pair>();
  let trouble: LinkTrouble = {};
  let turn = 0;

  const server = createServer((near) => {
    near.on('error', () => undefined);
    if (trouble.isDown) return void near.resetAndDestroy();
    turn += 1;
    dial(near, turn, targets.length);
  });

  function dial(near: Socket, which: number, tries: number): void {
    const far = connect(targets[which % targets.length] ?? 0, '127.0.0.1');
    let isOpen = false;
    far.once('connect', () => {
      isOpen = true;
      join({ near, far });
    });
    far.on('error', () => {
      if (isOpen) return;
      if (tries > 1 && !near.destroyed) dial(near, which + 1, tries - 1);
      else near.resetAndDestroy();
    });
  }

  function join(pair: Pair): void {
    const { near, far } = pair;
    if (near.destroyed) return void far.destroy();
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    const pass = (from: Socket, to: Socket) => {
      let last = Promise.resolve();
      let waiting = 0;
      from.on('data', (bytes) => {
        if (trouble.isBlackhole) return;
        if (trouble.losesAnswers && from === far) return end();
        const { delayMs = 0 } = trouble;
        if (delayMs === 0 && waiting === 0) return void write(from, to, bytes);
        // Behind what waits already: bytes never overtake each other.
        waiting += 1;
        const due = sleep(delayMs);
        last = last.then(async () => {
          await due;
          waiting -= 1;
          write(from, to, bytes);
        });
      });
    };
    pass(near, far);
    pass(far, near);
    near.on('close', end);
    far.on('close', end);
  }

  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const reset = () => {
    for (const { near, far } of pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  };
  return {
    name,
    port: (server.address() as AddressInfo).port,
    set: (next) => {
      // What was swallowed is missing in the middle: such a connection is good for nothing more.
      if (trouble.isBlackhole && !next.isBlackhole) reset();
      trouble = next;
    },
    reset,
    close: async () => {
      reset();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Whoever sends faster than is taken waits. */
function write(from: Socket, to: Socket, bytes: Buffer): void {
  if (!to.writable || to.write(bytes)) return;
  from.pause();
  to.once('drain', () => from.resume());
}
