import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ledgerServerPart } from '@quicksale/local-stack';
import { eventually, newId } from '@quicksale/shared/testing';
import { startOrders, type OrderClient, type OrderFixture } from './order-fixture.ts';

jest.setTimeout(60_000);

const stock = 100;
const buyerCount = 20;

describe('fault 7: the ledger', () => {
  let folder: string;
  let child: ChildProcess;
  let fixture: OrderFixture;
  let twin: OrderClient;
  /** One makes the trouble, the other one sees it. */
  let saboteur: Redis;
  let witness: Redis;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quicksale-silent-'));
    const { part, url } = await ledgerServerPart(folder, process.env);
    child = spawn(part.command, part.args, { env: part.env, stdio: 'ignore' });
    await part.ready(AbortSignal.timeout(20_000), child.pid ?? 0);
    saboteur = new Redis(url);
    witness = new Redis(url, { commandTimeout: 300 });
    witness.on('error', () => undefined);
    fixture = await startOrders({ REDIS_LEDGER_URL: url });
    twin = await fixture.startTwin();
  }, 60_000);
  afterAll(async () => {
    await fixture?.stop();
    saboteur?.disconnect();
    witness?.disconnect();
    child?.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  /** Resolves once the server serves nobody; the result ends it, or waits for the end. */
  type Trouble = () => Promise<() => Promise<unknown>>;

  const stalled: Trouble = async () => {
    // As by DEBUG SLEEP, for exactly as long as is needed.
    child.kill('SIGSTOP');
    await eventually(() => expect(witness.ping()).rejects.toThrow('timed out'), 5_000);
    return async () => child.kill('SIGCONT');
  };
  const busy: Trouble = async () => {
    await saboteur.config('SET', 'busy-reply-threshold', '50');
    const endless = saboteur.eval('while true do end', 0).catch((error: unknown) => error);
    await eventually(() => expect(witness.ping()).rejects.toThrow('BUSY'), 5_000);
    return async () => {
      await witness.script('KILL');
      expect(String(await endless)).toContain('Script killed');
    };
  };

  it.each<[string, Trouble, 'silent' | 'refusing', boolean]>([
    ['that stalls for longer than a command may take', stalled, 'silent', false],
    ['that stalls until its connections are given up', stalled, 'silent', true],
    ['that is busy with a script', busy, 'refusing', false],
  ])('%s is a 503; each key has one order in the end', async (_, begin, how, isNoticed) => {
    const { productId, saleId } = await fixture.givenProduct(stock);
    const wanted = () => ({ userId: newId(), key: 'k', productId });
    // Both services know the product and have order numbers now.
    const first = [await fixture.place(wanted()), await twin.place(wanted())];
    expect(first.map(({ status }) => status)).toEqual([201, 201]);

    const end = await begin();
    const buyers = Array.from({ length: buyerCount }, wanted);
    const clientOf = (n: number) => (n % 2 ? twin : fixture);
    const answers = await Promise.all(buyers.map((buyer, n) => clientOf(n).place(buyer)));
    for (const answer of answers) {
      expect([answer.status, answer.body.code]).toEqual([503, 'dependency-unavailable']);
      expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    }
    if (isNoticed) await eventually(async () => expect(await fixture.unready()).not.toEqual({}));
    await end();
    await eventually(async () => expect(await fixture.unready()).toEqual({}));

    // Some never come back; the others ask whichever service is next.
    const returning = buyers.slice(5);
    const ids = await Promise.all(
      returning.map((buyer, n) =>
        eventually(async () => {
          const again = await clientOf(n).place(buyer);
          expect(again.status).toBe(201);
          return String(again.body.order._id);
        }),
      ),
    );
    expect(new Set(ids).size).toBe(returning.length);
    await eventually(async () => {
      const orders = await fixture.orders(saleId);
      const snapshot = await fixture.ledger.snapshot(saleId);
      if (typeof snapshot === 'string') throw new Error(snapshot);
      const held = snapshot.records.map(({ orderId }) => orderId).sort();
      const stored = orders.map(({ _id }) => String(_id)).sort();
      // What the ledger took after the buyer was told has its order too.
      expect(stored).toEqual(held);
      expect(stored).toEqual(expect.arrayContaining(ids));
      expect(snapshot.products[productId]?.available).toBe(stock - stored.length);
      expect(new Set(orders.map(({ userId }) => String(userId))).size).toBe(orders.length);
      expect(new Set(orders.flatMap(({ units }) => units as string[])).size).toBe(orders.length);
      // A server that refuses has done nothing; one that stalled may have done all it was asked.
      const most = first.length + (how === 'refusing' ? returning : buyers).length;
      expect(orders.length).toBeGreaterThanOrEqual(first.length + returning.length);
      expect(orders.length).toBeLessThanOrEqual(most);
    });
  });
});
