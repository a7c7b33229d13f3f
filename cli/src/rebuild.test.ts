import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { rebuildSale } from './rebuild.ts';

let server: Server | undefined;
afterEach(() => void server?.close());
const saleId = 'a'.repeat(24);

describe('rebuild', () => {
  it('asks again while somebody else is at it, and says what was done', async () => {
    const asked: unknown[] = [];
    server = createServer(({ url, headers }, res) => {
      asked.push([url, headers['x-internal-key']]);
      res.statusCode = asked.length === 1 ? 503 : 200;
      res.end(JSON.stringify({ epoch: 2, orders: 9, records: 7, elapsedMs: 12 }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const env = { INVENTORY_SERVICE_ADMIN_URL: `http://127.0.0.1:${port}`, INTERNAL_KEY: 'k' };
    let text = '';
    await rebuildSale({ args: [saleId, '--json'], env, write: (more) => (text += more) });
    expect(JSON.parse(text)).toEqual({ saleId, epoch: 2, orders: 9, records: 7, elapsedMs: 12 });
    expect(asked).toEqual(Array(2).fill([`/internal/sales/${saleId}/rebuild`, 'k']));
  });

  it('needs an id and a service', async () => {
    const write = () => undefined;
    for (const args of [['x'], [saleId, saleId]])
      await expect(rebuildSale({ args, env: {}, write })).rejects.toThrow('24 hexadecimal');
    await expect(rebuildSale({ args: [saleId], env: {}, write })).rejects.toThrow(
      'not known where',
    );
    const env = { INVENTORY_SERVICE_ADMIN_URL: 'http://127.0.0.1:1', INTERNAL_KEY: 'k' };
    await expect(rebuildSale({ args: [saleId], env, write })).rejects.toThrow(
      'does not answer at http://127.0.0.1:1',
    );
  });
});
