import { unavailable } from '@quicksale/shared/errors';
import {
  createMemoryStockLedger,
  emptyLedger,
  type LedgerKeys,
  type MemoryLedgerState,
  type ReserveReply,
  type ReserveRequest,
  type StockLedger,
} from '@quicksale/shared/stock-ledger';
import type { Life } from './scheduler.ts';
import type { World } from './world.ts';

/** One run of a ledger's server: what it keeps, and the run id that the scripts compare. */
export interface LedgerServer {
  runId: string;
  isUp: boolean;
  memory: ReturnType<typeof createMemoryStockLedger>;
  /** By shard; kept with the rest, and lost with it. */
  admitted: Map<number, string>;
}

/** The connection of one process: to a server, in the run that it had when it was made. */
interface Connection {
  server: LedgerServer;
  isOpen: boolean;
}

interface Backup {
  state: MemoryLedgerState;
  admitted: Map<number, string>;
}

export interface SimulatedLedger {
  /** The server that has the ledger now. */
  current(): LedgerServer;
  keys: LedgerKeys;
  connect(life: Life): ConnectedLedger;
  /** Keeps a copy to go back to. */
  backUp(): void;
  /** The server starts again with all that it had. */
  restart(): void;
  /** It starts again with the last copy; false when there is none. */
  setBack(): boolean;
  /** It starts again with nothing. */
  empty(): void;
  /** A replica with the last copy takes over, while some go on with the old one for a while. */
  failOver(): boolean;
}

export interface ConnectedLedger {
  ledger: StockLedger;
  /** For plain reads and writes, which no server refuses. */
  plain: <T>(name: string, effect: (server: LedgerServer) => T, isWrite?: boolean) => Promise<T>;
  runId(): string;
}

/** Hears of every answer to an order, at the instant at which it is decided. */
export type Witness = (
  saleId: string,
  request: ReserveRequest,
  reply: ReserveReply,
  server: LedgerServer,
) => void;

const longestReconnectMs = 400;

/**
 * Servers of the ledger with the memory ledger in them: the model that the Lua scripts are compared
 * with command by command (`ledger-model.int.test.ts`) is what runs here in their place.
 */
export function createSimulatedLedger(
  world: World,
  options: { keys: LedgerKeys; witness: Witness },
): SimulatedLedger {
  const { keys, witness } = options;
  const { random } = world;
  const connections = new Set<Connection>();
  let runs = 0;
  let backup: Backup | undefined;

  const start = ({ state, admitted }: Backup): LedgerServer => ({
    runId: `run-${(runs += 1)}`,
    isUp: true,
    memory: createMemoryStockLedger({ keys, now: world.now, state }),
    admitted,
  });
  let current = start({ state: emptyLedger(), admitted: new Map() });
  const copyOf = ({ memory, admitted }: LedgerServer): Backup => ({
    state: structuredClone(memory.state),
    admitted: new Map(admitted),
  });

  function reconnect(connection: Connection): void {
    connection.isOpen = false;
    world.after(random.integer(longestReconnectMs), 'a connection to the ledger is made', () => {
      connection.server = current;
      connection.isOpen = true;
    });
  }

  function replaceBy(kept: Backup): void {
    current.isUp = false;
    current = start(kept);
    world.isChanged = true;
    for (const connection of connections) reconnect(connection);
  }

  function connect(life: Life): ConnectedLedger {
    const connection: Connection = { server: current, isOpen: true };
    connections.add(connection);

    function send<T>(
      name: string,
      effect: (server: LedgerServer) => T,
      reads: boolean,
    ): Promise<T> {
      return world.call({
        ...{ life, store: 'ledger', name: `ledger.${name}`, reads, mayBeLate: !reads },
        effect: () => {
          const { server, isOpen } = connection;
          if (!isOpen || !server.isUp) throw unavailable('The stock ledger is not reachable');
          return effect(server);
        },
      });
    }

    /** A script on the shard of a sale, or what it says on a server that was not checked. */
    const script = <T, R>(
      name: string,
      shard: number,
      effect: (memory: LedgerServer['memory']) => T,
      refused: R,
    ) =>
      send<T | R>(
        name,
        (server) => (server.admitted.get(shard) === server.runId ? effect(server.memory) : refused),
        false,
      );
    const { shardOf } = keys;
    const each = <T>(all: readonly unknown[], refused: T) => all.map(() => refused);
    const no = 'not_admitted' as const;

    const ledger: StockLedger = {
      shards: keys.shards,
      reserve: (saleId, requests, recorded) =>
        script(
          'reserve',
          shardOf(saleId),
          (memory): ReserveReply[] => {
            const replies = memory.reserve(saleId, requests, recorded);
            replies.forEach((reply, at) =>
              witness(saleId, requests[at] as ReserveRequest, reply, connection.server),
            );
            return replies;
          },
          each(requests, { status: no }),
        ),
      release: (saleId, releases) =>
        script('release', shardOf(saleId), (m) => m.release(saleId, releases), each(releases, no)),
      settle: (saleId, ids) =>
        script('settle', shardOf(saleId), (m) => m.settle(saleId, ids), each(ids, no)),
      ship: (saleId, shipments) =>
        script('ship', shardOf(saleId), (m) => m.ship(saleId, shipments), each(shipments, no)),
      readHolds: (saleId, ids) =>
        script('readHolds', shardOf(saleId), (m) => m.readHolds(saleId, ids), no),
      findKeys: (asked) =>
        send(
          'findKeys',
          ({ memory, admitted, runId }) =>
            memory
              .findKeys(asked)
              .map((answer, at) =>
                admitted.get(shardOf(asked[at]?.saleId ?? '')) === runId ? answer : no,
              ),
          true,
        ),
      claimDue: (shard, claim) => script('claimDue', shard, (m) => m.claimDue(shard, claim), no),
      claimUnrecorded: (shard, claim) =>
        script('claimUnrecorded', shard, (m) => m.claimUnrecorded(shard, claim), no),
      strikeOff: (saleId, ids) => send('strikeOff', (s) => s.memory.strikeOff(saleId, ids), false),
      markUnrecorded: (saleId, ids) =>
        script(
          'markUnrecorded',
          shardOf(saleId),
          (m) => m.markUnrecorded(saleId, ids),
          each(ids, no),
        ),
      raise: (saleId, productId, last) =>
        script('raise', shardOf(saleId), (m) => m.raise(saleId, productId, last), no),
      lastUnits: (saleId, productIds) =>
        send(
          'lastUnits',
          ({ memory }) =>
            productIds.map((id) => memory.state.sales.get(saleId)?.lines.get(id)?.last ?? null),
          true,
        ),
      putSale: (settings, create) =>
        script('putSale', shardOf(settings.saleId), (m) => m.putSale(settings, create), no),
      fence: (saleId, epoch) => script('fence', shardOf(saleId), (m) => m.fence(saleId, epoch), no),
      rebuild: (saleId, turn, step) =>
        script('rebuild', shardOf(saleId), (m) => m.rebuild(saleId, turn, step), { status: no }),
      saleStates: (saleIds) =>
        send(
          'saleStates',
          ({ memory, admitted, runId }) =>
            memory
              .saleStates(saleIds)
              .map((answer, at) =>
                admitted.get(shardOf(saleIds[at] ?? '')) === runId ? answer : no,
              ),
          true,
        ),
      markedOrders: (saleId) => send('markedOrders', (s) => s.memory.markedOrders(saleId), true),
      peekHolds: (saleId, ids) => send('peekHolds', (s) => s.memory.peekHolds(saleId, ids), true),
      snapshot: (saleId) => send('snapshot', (s) => s.memory.snapshot(saleId), true),
      pricedStock: (products) => send('pricedStock', (s) => s.memory.pricedStock(products), true),
      shownStock: (products) => send('shownStock', (s) => s.memory.pricedStock(products), true),
      clock: () => send('clock', () => world.now(), true),
    };
    return {
      ledger,
      plain: (name, effect, isWrite = false) => send(name, effect, !isWrite),
      runId: () => {
        if (!connection.isOpen) throw unavailable('The stock ledger is not reachable');
        return connection.server.runId;
      },
    };
  }

  return {
    current: () => current,
    keys,
    connect,
    backUp: () => {
      backup = copyOf(current);
    },
    restart: () => replaceBy(copyOf(current)),
    setBack: () => {
      if (!backup) return false;
      replaceBy(backup);
      backup = undefined;
      return true;
    },
    empty: () => {
      replaceBy({ state: emptyLedger(), admitted: new Map() });
      backup = undefined;
    },
    failOver: () => {
      if (!backup) return false;
      current = start(backup);
      backup = undefined;
      world.isChanged = true;
      for (const connection of connections)
        world.after(random.integer(5_000), 'a connection leaves the old primary', () =>
          reconnect(connection),
        );
      return true;
    },
  };
}
