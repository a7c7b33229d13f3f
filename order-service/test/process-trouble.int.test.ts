import { Agent, request } from 'node:http';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually, newId } from '@quicksale/shared/testing';
import { openMongoGate, type MongoGate } from './mongo-gate.ts';
import { startOrders, type OrderFixture } from './order-fixture.ts';
import { startOrderProcess, type OrderProcess } from './order-process.ts';
import { startTokenIssuer } from './token-issuer.ts';

jest.setTimeout(60_000);

const stock = 100;
const buyerCount = 20;
/** A service at rest needs about half of them. */
const openFiles = 128;

interface Wanted {
  userId: string;
  key: string;
  productId: string;
}

interface Told {
  buyer: Wanted;
  /** 0 when there was no answer. */
  status: number;
  text: string;
}

describe('fault 18: order-service', () => {
  let fixture: OrderFixture;
  let gate: MongoGate;
  let issuer: Awaited<ReturnType<typeof startTokenIssuer>>;
  let service: OrderProcess | undefined;
  beforeAll(async () => {
    fixture = await startOrders();
    gate = await openMongoGate(process.env.MONGO_URL ?? '');
    issuer = await startTokenIssuer();
  }, 60_000);
  afterEach(async () => {
    gate.open();
    await service?.kill();
    service = undefined;
  });
  afterAll(async () => {
    await gate?.close();
    await issuer?.stop();
    await fixture?.stop();
  }, 60_000);

  /** A process beside the service of the fixture, on the same stores. */
  async function startService(shell = ''): Promise<OrderProcess> {
    service = await startOrderProcess(
      {
        NAMESPACE: fixture.namespace,
        INTERNAL_KEY: 'an internal key of a test',
        MONGO_URL: gate.url,
        JWKS_URL: issuer.jwksUrl,
      },
      shell,
    );
    return service;
  }

  const isReady = async ({ adminUrl }: OrderProcess) => {
    const answer = await fetch(`${adminUrl}/readyz`, {
      signal: AbortSignal.timeout(500),
      headers: { connection: 'close' },
    }).catch(() => undefined);
    return answer?.ok ?? false;
  };

  /** A sale that the process knows; it has order numbers and the key of the tokens, too. */
  async function givenKnownProduct(known: OrderProcess) {
    const sale = await fixture.givenProduct(stock);
    const wanted = (): Wanted => ({ userId: newId(), key: 'k', productId: sale.productId });
    const first = wanted();
    const answer = await known.place({ ...first, token: issuer.tokenOf(first.userId) });
    expect(answer.status).toBe(201);
    return { ...sale, wanted, first: { buyer: first, status: 201, text: await answer.text() } };
  }

  const heldIn = async (saleId: string) => {
    const snapshot = await fixture.ledger.snapshot(saleId);
    if (typeof snapshot === 'string') throw new Error(snapshot);
    return snapshot;
  };

  /** Everybody asks again until there is an order; whoever was promised one gets the same bytes. */
  async function expectOneOrderEach(sale: { saleId: string; productId: string }, told: Told[]) {
    const ids = await Promise.all(
      told.map(({ buyer, status, text }) =>
        eventually(async () => {
          const again = await fixture.place(buyer);
          expect(again.status).toBe(201);
          if (status === 201) expect(again.text).toBe(text);
          return String(again.body.order._id);
        }),
      ),
    );
    await eventually(async () => {
      const orders = await fixture.orders(sale.saleId);
      expect(orders.map(({ _id }) => String(_id)).sort()).toEqual([...ids].sort());
      expect(new Set(orders.map(({ userId }) => String(userId))).size).toBe(told.length);
      expect(new Set(orders.flatMap(({ units }) => units as string[])).size).toBe(told.length);
      const { records, products, fenced } = await heldIn(sale.saleId);
      expect(fenced).toBe(false);
      expect(records.map(({ orderId }) => orderId).sort()).toEqual([...ids].sort());
      expect(products[sale.productId]?.available).toBe(stock - told.length);
    });
  }

  /** An order on a connection that is open already. */
  function placeOn(agent: Agent, url: string, buyer: Wanted): Promise<Told> {
    const { userId, key, productId } = buyer;
    return new Promise((resolve) => {
      const none = () => resolve({ buyer, status: 0, text: '' });
      const asked = request(`${url}/api/orders`, {
        agent,
        method: 'POST',
        headers: {
          authorization: `Bearer ${issuer.tokenOf(userId)}`,
          'idempotency-key': key,
          'content-type': 'application/json',
        },
      });
      asked.on('error', none);
      asked.on('response', (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', none);
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString();
          resolve({ buyer, status: answer.statusCode ?? 0, text });
        });
      });
      asked.end(JSON.stringify({ items: [{ productId, quantity: 1 }] }));
    });
  }

  /** A connection on which the service has answered once: it stays. Undefined when it is refused. */
  async function occupy(url: string): Promise<Socket | undefined> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.write('GET /health HTTP/1.1\r\nHost: shop\r\n\r\n');
    const answered = once(socket, 'data').then(
      () => true,
      () => false,
    );
    const isKept = await Promise.race([answered, once(socket, 'close').then(() => false)]);
    if (isKept) return socket;
    socket.destroy();
    return undefined;
  }

  it('without file descriptors refuses connections, keeps what it promised, and recovers', async () => {
    const crippled = await startService(`ulimit -n ${openFiles};`);
    const { wanted, first, ...sale } = await givenKnownProduct(crippled);
    const agent = new Agent({ keepAlive: true, maxSockets: buyerCount });
    const place = (count: number) =>
      Promise.all(Array.from({ length: count }, () => placeOn(agent, crippled.url, wanted())));
    const before = await place(buyerCount);
    expect(before.map(({ status }) => status)).toContain(201);

    const occupyAll = async () => {
      const tries = Array.from({ length: 2 * openFiles }, () => occupy(crippled.url));
      return (await Promise.all(tries)).filter((socket) => socket !== undefined);
    };
    const kept = await occupyAll();
    expect(kept.length).toBeGreaterThan(10);
    expect(kept.length).toBeLessThan(openFiles);
    expect(await isReady(crippled)).toBe(false);
    // Those who are connected are served, or told to come again.
    const during = await place(buyerCount);
    for (const { status } of during) expect([201, 503]).toContain(status);

    // The connections to MongoDB go, strangers take their place, and there is no way back to it.
    gate.cut();
    const more = await occupyAll();
    expect(more.length).toBeGreaterThan(0);
    gate.open();
    const without: Told[] = [];
    // Longer than the driver waits between two tries to come back.
    for (const until = Date.now() + 1_500; Date.now() < until; await sleep(300))
      without.push(...(await place(4)));
    expect(without.map(({ status }) => status)).toEqual(without.map(() => 503));
    expect(await isReady(crippled)).toBe(false);

    for (const socket of [...kept, ...more]) socket.destroy();
    await eventually(async () => expect(await isReady(crippled)).toBe(true));
    const after: Told[] = [];
    await eventually(async () => {
      after.push(...(await place(1)));
      expect(after.at(-1)?.status).toBe(201);
    });
    agent.destroy();
    await expectOneOrderEach(sale, [first, ...before, ...during, ...without, ...after]);
    process.stdout.write(
      `no file descriptors: ${kept.length} connections taken, then ${more.length} of MongoDB's; ` +
        `${during.filter(({ status }) => status === 201).length} of ${during.length} orders taken meanwhile\n`,
    );
  });

  it.each([
    // Its inserts are under way; nobody else does anything about them in that time.
    { pauseMs: 2_000, how: 'whose inserts are answered meanwhile', isSwept: false },
    // Longer than the age at which others sweep, and than the silence after which a connection is dead.
    { pauseMs: 7_000, how: 'whose inserts do not arrive', isSwept: true },
  ])('stopped for $pauseMs ms, $how, doubles and loses nothing', async ({ pauseMs, isSwept }) => {
    const paused = await startService();
    const { wanted, first, ...sale } = await givenKnownProduct(paused);
    if (isSwept) gate.shut();
    else gate.open(1_000);
    const place = async (buyer: Wanted): Promise<Told> => {
      const token = issuer.tokenOf(buyer.userId);
      const answer = await paused.place({ ...buyer, token });
      return { buyer, status: answer.status, text: await answer.text() };
    };
    const asked = Array.from({ length: buyerCount }, () => place(wanted()));
    await eventually(async () =>
      expect((await heldIn(sale.saleId)).records).toHaveLength(1 + buyerCount),
    );
    process.kill(paused.pid, 'SIGSTOP');
    const until = Date.now() + pauseMs;
    // Nobody is sent there, and who is there already waits.
    expect(await isReady(paused)).toBe(false);
    const late = Array.from({ length: 3 }, () => place(wanted()));
    if (isSwept)
      await eventually(async () =>
        expect(await fixture.orders(sale.saleId)).toHaveLength(1 + buyerCount),
      );
    await sleep(Math.max(0, until - Date.now()));
    gate.open();
    process.kill(paused.pid, 'SIGCONT');

    const told = await Promise.all([...asked, ...late]);
    for (const { status } of told) expect([201, 503]).toContain(status);
    await eventually(async () => expect(await isReady(paused)).toBe(true));
    const newcomer = wanted();
    const next = await eventually(async () => {
      const answer = await place(newcomer);
      expect(answer.status).toBe(201);
      return answer;
    });
    await expectOneOrderEach(sale, [first, ...told, next]);
    process.stdout.write(
      `stopped for ${pauseMs} ms: ${told.filter(({ status }) => status === 201).length} of ` +
        `${told.length} orders answered at once, the others by their key\n`,
    );
  });
});
