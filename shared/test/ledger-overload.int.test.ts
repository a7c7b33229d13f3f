import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ledgerServerPart } from '@quicksale/local-stack';
import { givenSale, objectId, openLedger, request, type LedgerFixture } from './ledger-fixture.ts';

jest.setTimeout(30_000);

describe('fault 7: a ledger server', () => {
  let folder: string;
  let child: ChildProcess;
  let fixture: LedgerFixture;
  const product = objectId();
  let saleId: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quicksale-overload-'));
    const { part, url } = await ledgerServerPart(folder, process.env);
    child = spawn(part.command, part.args, { env: part.env, stdio: 'ignore' });
    await part.ready(AbortSignal.timeout(20_000), child.pid ?? 0);
    fixture = await openLedger(1, url);
    saleId = await givenSale(fixture, { [product]: 9 });
  });
  afterAll(async () => {
    await fixture?.servers.stop();
    child?.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it('that is out of memory refuses the whole order, and takes it when there is room', async () => {
    const wanted = request({ [product]: 2 });
    const before = await fixture.dump();
    await fixture.connection.client.config('SET', 'maxmemory', '1');
    await expect(fixture.ledger.reserve(saleId, [wanted])).rejects.toThrow();
    expect(await fixture.dump()).toEqual(before);
    await fixture.connection.client.config('SET', 'maxmemory', '0');
    const [reply] = await fixture.ledger.reserve(saleId, [wanted]);
    expect(reply?.status).toBe('reserved');
  });

  it('that sleeps is an unknown outcome; the same key finds one hold', async () => {
    const wanted = request({ [product]: 1 });
    const asleep = fixture.connection.client.call('DEBUG', 'SLEEP', '3').catch(() => undefined);
    await expect(fixture.ledger.reserve(saleId, [wanted])).rejects.toMatchObject({
      kind: 'unavailable',
    });
    await asleep;
    // Sent again under another id, as a repeat of the request is.
    const [again] = await fixture.ledger.reserve(saleId, [{ ...wanted, orderId: objectId() }]);
    expect(again).toMatchObject({ status: 'replayed', record: { orderId: wanted.orderId } });
    const snapshot = await fixture.ledger.snapshot(saleId);
    expect(snapshot).toMatchObject({ products: { [product]: { available: 6 } } });
  });
});
