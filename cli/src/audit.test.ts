import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { formatBooks, parseAuditRequest, printAudit, type Books } from './audit.ts';

const saleId = 'a'.repeat(24);
const books: Books = {
  saleId,
  products: [
    { productId: 'b'.repeat(24), lastUnit: 9, available: 5, held: 1, committed: 2, gone: 1 },
  ],
  movements: [{}],
  units: [{ place: 'held' }, { place: 'given-back' }],
  refusals: [{ reason: 'sold-out', count: 7 }],
  drifts: [{ drift: 'unit-lost', productId: 'p', unit: 3, orderId: null }],
  verdict: 'drift',
  reason: '',
};

describe('audit', () => {
  test('takes a sale and one form at most', () => {
    expect(parseAuditRequest([saleId])).toEqual({ saleId, format: 'table' });
    expect(parseAuditRequest([saleId, '--csv'])).toEqual({ saleId, format: 'csv' });
    for (const args of [[], ['x'], [saleId, saleId], [saleId, '--json', '--csv'], [saleId, '--x']])
      expect(() => parseAuditRequest(args)).toThrow();
  });

  test('prints the books as a table', () => {
    const text = formatBooks(books);
    expect(text).toMatch(/b{24} +9 +5 +1 +2 +1\n/);
    expect(text).toContain('units held 1, sold 0, given-back 1');
    expect(text).toContain('refusals sold-out 7');
    expect(text).toContain('DRIFT unit-lost product p unit 3 order -');
    expect(text).toContain('verdict drift');
  });

  test.each(['--json', '--csv', ''])(
    '%s says of half an answer that it is no whole one',
    async (form) => {
      const folder = await mkdtemp(join(tmpdir(), 'qs-audit-'));
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const privateKeyFile = join(folder, 'key.pem');
      await writeFile(privateKeyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }));
      const asking = printAudit({
        args: form === '' ? [saleId] : [saleId, form],
        env: { GATEWAY_URL: 'http://127.0.0.1:1', JWT_PRIVATE_KEY_FILE: privateKeyFile },
        stackEnv: {},
        output: new Writable({ write: (_chunk, _encoding, done) => done() }),
        fetch: async () =>
          new Response(
            new ReadableStream({
              start: (body) => body.enqueue(Buffer.from('{"saleId":')),
              pull: (body) => body.error(new Error('terminated')),
            }),
          ),
      });
      await expect(asking).rejects.toThrow('broke off');
      await rm(folder, { recursive: true });
    },
  );

  test('signs nothing in production, and asks nobody', async () => {
    const asking = printAudit({
      args: [saleId],
      env: { NODE_ENV: 'production', GATEWAY_URL: 'http://127.0.0.1:1' },
      stackEnv: {},
      output: process.stdout,
    });
    await expect(asking).rejects.toThrow('production');
  });
});
