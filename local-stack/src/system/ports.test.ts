import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { findFreePorts, isPortFree, readPort, requireFreePort } from './ports.ts';

describe('ports', () => {
  test('finds different free ports below the range of outgoing connections', async () => {
    const ports = [
      ...(await findFreePorts(10, process.env)),
      ...(await findFreePorts(10, process.env)),
    ];
    expect(new Set(ports).size).toBe(20);
    expect(Math.max(...ports)).toBeLessThan(32_768);
    expect(await isPortFree(ports[0] ?? 0)).toBe(true);
  });

  test('gives test workers ports that no other one gets', async () => {
    const [first, second] = await Promise.all(
      ['1', '2'].map((id) => findFreePorts(50, { JEST_WORKER_ID: id })),
    );
    expect(Math.max(...(first ?? []))).toBeLessThan(Math.min(...(second ?? [])));
  });

  test('says who holds a taken port and which variable moves it', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const refusal = requireFreePort(port, 'REDIS_PORT', { PATH: '/usr/bin:/bin:/usr/sbin' });
    await expect(refusal).rejects.toMatchObject({
      message: expect.stringContaining(`port ${port} is in use by `),
      fix: expect.stringContaining('REDIS_PORT='),
    });
    server.close();
  });

  test('takes a port from the environment and refuses what is none', () => {
    expect(readPort({}, 'REDIS_PORT', 6379)).toBe(6379);
    expect(readPort({ REDIS_PORT: '7000' }, 'REDIS_PORT', 6379)).toBe(7000);
    for (const text of ['0', '70000', '6379x', '-1']) {
      expect(() => readPort({ REDIS_PORT: text }, 'REDIS_PORT', 6379)).toThrow('is not a port');
    }
  });
});
