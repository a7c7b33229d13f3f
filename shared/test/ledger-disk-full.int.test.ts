import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ledgerServerPart } from '@quicksale/local-stack';
import type { HoldRecord, ReserveReply } from '@quicksale/shared/stock-ledger';
import { eventually } from '@quicksale/shared/testing';
import { givenSale, objectId, openLedger, request, type LedgerFixture } from './ledger-fixture.ts';

jest.setTimeout(60_000);

/** In blocks of 512 bytes, as the shell counts: room for some hundred orders. */
const roomBlocks = 1_200;
const buyers = 20;
const stock = 50_000;

describe('fault 18: the disk of the ledger is full', () => {
  let folder: string;
  let server: Awaited<ReturnType<typeof ledgerServerPart>>;
  let child: ChildProcess | undefined;
  let fixture: LedgerFixture;
  const product = objectId();
  let saleId: string;

  /** With a limit for the size of a file a write that reaches it is cut short, as on a full disk. */
  async function start(limit: string): Promise<void> {
    const { command, args, env, ready } = server.part;
    const script = `${limit} exec "$0" "$@"`;
    child = spawn('sh', ['-c', script, command, ...args], { env, stdio: 'ignore' });
    await ready(AbortSignal.timeout(20_000), child.pid ?? 0);
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quicksale-disk-'));
    server = await ledgerServerPart(folder, process.env);
    await start(`trap '' XFSZ; ulimit -f ${roomBlocks};`);
    fixture = await openLedger(1, server.url);
    saleId = await givenSale(fixture, { [product]: stock });
  });
  afterAll(async () => {
    await fixture?.servers.stop();
    child?.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it('it stops rather than promise what it cannot keep; every acknowledged hold is there afterwards', async () => {
    if (!child) throw new Error('no server');
    const ended = once(child, 'exit');
    const promised: HoldRecord[] = [];
    const others: ReserveReply['status'][] = [];
    const failures: unknown[] = [];
    await Promise.all(
      Array.from({ length: buyers }, async () => {
        for (;;) {
          try {
            const [reply] = await fixture.ledger.reserve(saleId, [request({ [product]: 1 })]);
            if (reply?.status === 'reserved') promised.push(reply.record);
            else if (reply) others.push(reply.status);
          } catch (error) {
            failures.push(error);
            return;
          }
        }
      }),
    );
    // A server that has to write first cannot go on: it ends.
    expect(failures).toHaveLength(buyers);
    expect(others).toEqual([]);
    expect(promised.length).toBeGreaterThan(100);
    const [code] = (await ended) as [number | null];
    expect(code).toBe(1);

    await start('');
    await eventually(() => fixture.connection.runId());
    expect((await fixture.ledger.reserve(saleId, [request({ [product]: 1 })]))[0]?.status).toBe(
      'not_admitted',
    );
    await fixture.admit();
    const snapshot = await fixture.ledger.snapshot(saleId);
    if (typeof snapshot === 'string') throw new Error(snapshot);
    const kept = new Map(snapshot.records.map((record) => [record.orderId, record.units]));
    for (const { orderId, units } of promised) expect(kept.get(orderId)).toEqual(units);
    // Those in flight may be there or not, each with a unit of its own.
    expect(kept.size - promised.length).toBeLessThanOrEqual(buyers);
    const numbers = [...kept.values()].flatMap((units) => units[product] ?? []);
    expect(new Set(numbers).size).toBe(kept.size);
    expect(snapshot.products[product]?.available).toBe(stock - kept.size);
    const [next] = await fixture.ledger.reserve(saleId, [request({ [product]: 1 })]);
    expect(next?.status).toBe('reserved');
    process.stdout.write(
      `disk full: ${promised.length} holds acknowledged, ${kept.size} in the ledger afterwards\n`,
    );
  });
});
