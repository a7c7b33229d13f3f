import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { unavailable } from '@quicksale/shared/errors';
import {
  createMemoryNotificationStore,
  createMemorySequenceCounters,
} from '../notifications/memory-notification-store.ts';
import { storeNotifications } from '../notifications/store-notifications.ts';
import { changeOf, newId } from '../../test/notification-store-suite.ts';
import { catchUp } from './catch-up.ts';
import { createConnectionRegistry, drainConnections } from './connection-registry.ts';
import { createConnection, type Connection } from './connection.ts';
import { parseClientFrame, type ServerFrame } from './frame.ts';
import { gather } from './gather.ts';
import { resumeConnection } from './resume-connection.ts';
import { readUpgrade } from './upgrade-request.ts';
import { welcomeConnection } from './welcome-connection.ts';

function connect(userId: string): Connection & { sent: ServerFrame[]; codes: number[] } {
  const sent: ServerFrame[] = [];
  const codes: number[] = [];
  const connection = createConnection({
    userId,
    expiresAtMs: Infinity,
    clock: { now: () => 0 },
    socket: {
      bufferedAmount: 0,
      send: (text) => void sent.push(JSON.parse(text) as ServerFrame),
      ping: () => undefined,
      close: (code) => void codes.push(code),
      terminate: () => undefined,
    },
  });
  return { ...connection, sent, codes };
}

const seqsOf = ({ sent }: { sent: ServerFrame[] }) =>
  sent.flatMap((frame) => (frame.type === 'order.update' ? [frame.seq] : []));

function createStore() {
  const store = createMemoryNotificationStore();
  const counters = createMemorySequenceCounters();
  const add = (userId: string, count: number) =>
    storeNotifications(
      { store, counters },
      Array.from({ length: count }, () => changeOf(userId, newId(), 2)),
    );
  return { store, add };
}

describe('registry', () => {
  it('counts connections per user and sockets per address', () => {
    const registry = createConnectionRegistry({ perUser: 1, perIp: 2 });
    const [first, second] = [connect('a'), connect('a')];
    expect([registry.add(first), registry.add(second)]).toEqual([true, false]);
    registry.remove(second);
    expect(registry.size()).toBe(1);
    registry.remove(first);
    registry.remove(first);
    expect([registry.size(), registry.add(second)]).toEqual([0, true]);
    expect([registry.enter('ip'), registry.enter('ip'), registry.enter('ip')]).toEqual([
      true,
      true,
      false,
    ]);
    registry.leave('ip');
    expect(registry.enter('ip')).toBe(true);
  });

  it("hands a notification to its user's connections only", async () => {
    const { add } = createStore();
    const registry = createConnectionRegistry({ perUser: 5, perIp: 5 });
    const [own, alsoOwn, other] = [connect('a'), connect('a'), connect('b')];
    for (const connection of [own, alsoOwn, other]) registry.add(connection);
    registry.push(await add('a', 2));
    expect([seqsOf(own), seqsOf(alsoOwn), seqsOf(other)]).toEqual([[1, 2], [1, 2], []]);
  });

  it('drains in slices and stops waiting for those who do not go', async () => {
    const registry = createConnectionRegistry({ perUser: 5, perIp: 5 });
    const connections = Array.from({ length: 25 }, (_, n) => connect(`user-${n}`));
    for (const connection of connections) registry.add(connection);
    const closedAt: number[] = [];
    await drainConnections(registry, {
      slice: 10,
      pauseMs: 100,
      spreadMs: 1_000,
      graceMs: 200,
      random: () => 0.5,
      sleep: async () => {
        closedAt.push(connections.filter(({ codes }) => codes[0] === 1012).length);
      },
    });
    expect(closedAt).toEqual([10, 20, 25, 25, 25, 25]);
    expect(connections[0]?.sent).toMatchObject([
      { type: 'server.draining', data: { retryInMs: 500 } },
    ]);
  });
});

describe('welcome and resume', () => {
  it('what is published while the welcome is prepared comes after it', async () => {
    const { store, add } = createStore();
    await add('a', 1);
    const connection = connect('a');
    const welcomed = welcomeConnection(
      { summaryOf: async (userId) => (await store.summaries([userId])).get(userId) },
      connection,
    );
    const [published] = await add('a', 1);
    if (published) connection.push(published);
    await welcomed;
    expect(connection.sent.map(({ type }) => type)).toEqual(['welcome', 'order.update']);
  });

  it('a welcome that cannot be given sends the client away', async () => {
    const connection = connect('a');
    const away = async () => {
      throw unavailable('the store is away');
    };
    await expect(welcomeConnection({ summaryOf: away }, connection)).rejects.toThrow();
    expect(connection.codes).toEqual([1013]);
  });

  it('replays in order before what is published meanwhile', async () => {
    const { store, add } = createStore();
    await add('a', 3);
    const connection = connect('a');
    const resumed = resumeConnection({ store, readOpenOrders: async () => [] }, connection, 1);
    for (const notification of await add('a', 1)) connection.push(notification);
    await resumed;
    expect(seqsOf(connection)).toEqual([2, 3, 4]);
  });

  it('a store that is away is told, and the connection stays', async () => {
    const { store } = createStore();
    const after = async () => {
      throw unavailable('the store is away');
    };
    const connection = connect('a');
    const deps = { store: { ...store, after }, readOpenOrders: async () => [] };
    await expect(resumeConnection(deps, connection, 1)).rejects.toThrow();
    expect(connection.sent).toMatchObject([{ type: 'error', data: { code: 'unavailable' } }]);
    expect(connection.isOpen()).toBe(true);
  });
});

describe('catching up', () => {
  it('reads what every connection missed, also while the store comes and goes', async () => {
    const { store, add } = createStore();
    await add('a', 3);
    await add('b', 1);
    const [behind, ahead, other, fresh] = [connect('a'), connect('a'), connect('b'), connect('b')];
    behind.welcome({ lastSeq: 1, unread: 0 });
    ahead.welcome({ lastSeq: 2, unread: 0 });
    other.welcome({ lastSeq: 0, unread: 0 });
    let away = 2;
    const caughtUp = catchUp(
      {
        store: {
          afterEach: async (seqs) => {
            if (away-- > 0) throw unavailable('the store is away');
            return store.afterEach(seqs);
          },
        },
        wait: async () => undefined,
      },
      [ahead, other, behind, fresh],
    );
    for (const notification of await add('a', 1)) ahead.push(notification);
    await caughtUp;
    expect(seqsOf(behind).slice(0, 2)).toEqual([2, 3]);
    expect(seqsOf(ahead).at(-1)).toBe(4);
    expect(new Set(seqsOf(ahead)).has(3)).toBe(true);
    expect(seqsOf(other)).toEqual([1]);
    // Not welcomed yet, so nobody knows what it missed.
    expect(fresh.codes).toEqual([1013]);
  });
});

describe('gather', () => {
  it('makes few look-ups of many, and passes failures on', async () => {
    const loads: number[] = [];
    const look = gather<string>(async (keys) => {
      loads.push(keys.length);
      if (keys.includes('bad')) throw new Error('no');
      return new Map(keys.filter((key) => key !== 'none').map((key) => [key, key.toUpperCase()]));
    }, 3);
    const answers = await Promise.allSettled(['a', 'a', 'none', 'bad', 'b'].map(look));
    expect(
      answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : 'failed')),
    ).toEqual(['A', 'A', undefined, 'failed', 'failed']);
    expect(await look('c')).toBe('C');
    expect(loads).toEqual([2, 2, 1]);
  });
});

describe('frames of clients', () => {
  it.each([
    ['{"type":"ping"}', { type: 'ping' }],
    ['{"type":"resume","lastSeq":3}', { type: 'resume', lastSeq: 3 }],
    ['{"type":"resume","data":{"lastSeq":3}}', { type: 'resume', lastSeq: 3 }],
    ['{"type":"resume","lastSeq":-1}', undefined],
    ['{"type":"resume","lastSeq":"3"}', undefined],
    ['{"type":"resume"}', undefined],
    ['{"type":"constructor"}', undefined],
    ['[]', undefined],
    ['null', undefined],
    ['{', undefined],
  ])('%s', (text, expected) => {
    expect(parseClientFrame(text)).toEqual(expected);
  });
});

describe('upgrade requests', () => {
  const policy = { origins: new Set(['http://shop.test']), queryToken: true, trustProxyHops: 1 };
  const request = (url: string, headers: Record<string, string> = {}) =>
    ({ url, headers, socket: { remoteAddress: '10.0.0.1' } }) as unknown as IncomingMessage;

  it('takes a token from the address only where that is allowed, and only one', () => {
    const tokenOf = (url: string, queryToken = true) => {
      const decision = readUpgrade(request(url), { ...policy, queryToken });
      return decision.kind === 'accepted' ? decision.token : decision.status;
    };
    expect(tokenOf('/?token=abc')).toBe('abc');
    expect(tokenOf('/ws?x=1&token=abc')).toBe('abc');
    expect(tokenOf('/?token=abc', false)).toBe(undefined);
    expect(tokenOf('/?token=abc&token=def')).toBe(undefined);
    expect(tokenOf('/?token=a%20b')).toBe(undefined);
    expect(tokenOf('/')).toBe(undefined);
    expect(tokenOf('/internal?token=abc')).toBe(404);
    expect(tokenOf('//?token=abc')).toBe(404);
  });

  it('refuses pages of others', () => {
    const withOrigin = (origin: string) => readUpgrade(request('/', { origin }), policy).kind;
    expect(withOrigin('http://shop.test')).toBe('accepted');
    expect(withOrigin('http://shop.test.evil')).toBe('refused');
    expect(withOrigin('null')).toBe('refused');
    expect(readUpgrade(request('/'), policy).kind).toBe('accepted');
  });

  it('believes as many proxies as there are', () => {
    const ipOf = (forwarded: string | undefined, trustProxyHops: number) => {
      const headers: Record<string, string> = forwarded ? { 'x-forwarded-for': forwarded } : {};
      const decision = readUpgrade(request('/', headers), { ...policy, trustProxyHops });
      return decision.kind === 'accepted' ? decision.ip : undefined;
    };
    expect(ipOf(undefined, 1)).toBe('10.0.0.1');
    expect(ipOf('1.1.1.1, 2.2.2.2', 0)).toBe('10.0.0.1');
    expect(ipOf('1.1.1.1, 2.2.2.2', 1)).toBe('2.2.2.2');
    expect(ipOf('1.1.1.1', 5)).toBe('1.1.1.1');
  });
});
