import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { createLogger } from '@quicksale/shared/log';
import { connectRedis } from '@quicksale/shared/redis';
import { eventually, testNamespace } from '@quicksale/shared/testing';
import {
  buildGateway,
  startFakeService,
  withGateway,
  type FakeService,
} from './gateway-fixture.ts';

const log = createLogger({ service: 'test', level: 'silent' });
const redis = connectRedis({ url: String(process.env.REDIS_URL), name: 'test', log });
let service: FakeService;
beforeAll(async () => {
  service = await startFakeService();
  await redis.start();
});
afterAll(async () => {
  await redis.stop();
  await service.stop();
});

/** Lets `use` have a gateway with limits of its own, once these are counted in Redis. */
async function withLimits(env: Record<string, string>, use: (base: string) => Promise<void>) {
  const namespace = testNamespace('addresses');
  const gateway = buildGateway({ namespace, serviceUrl: service.url, env });
  await withGateway(gateway, async (base) => {
    // Until its connection stands a gateway counts for itself, and begins anew after that.
    await eventually(async () => {
      await request(base).get('/api/sales').expect(200);
      expect(await redis.client.exists(`${namespace}:limit:default:ip:127.0.0.1`)).toBe(1);
    });
    await use(base);
  });
}

/** Registers once with each set of headers, and resolves to the statuses. */
async function registerFrom(base: string, senders: readonly Record<string, string>[]) {
  const statuses: number[] = [];
  for (const headers of senders)
    statuses.push((await request(base).post('/api/auth/register').set(headers).send({})).status);
  return statuses;
}
const forwarded = (...addresses: string[]) =>
  addresses.map((address) => ({ 'X-Forwarded-For': address }));

describe('an address that a client makes up', () => {
  it.each([
    'X-Forwarded-For',
    'X_Forwarded_For',
    'X-Real-IP',
    'X-Client-IP',
    'True-Client-IP',
    'CF-Connecting-IP',
    'Forwarded',
  ])('in %s gets it no further requests', async (name) => {
    await withLimits({}, async (base) => {
      const senders = Array.from({ length: 5 }, (_, index) => ({
        [name]: name === 'Forwarded' ? `for=9.9.9.${index}` : `9.9.9.${index}`,
      }));
      expect(await registerFrom(base, senders)).toEqual([200, 200, 200, 429, 429]);
    });
  });

  it('before the one that a trusted proxy adds gets it none either', async () => {
    await withLimits({ GATEWAY_TRUST_PROXY_HOPS: '1' }, async (base) => {
      const senders = Array.from({ length: 5 }, (_, index) => `9.9.9.${index}, 203.0.113.7`);
      expect(await registerFrom(base, forwarded(...senders))).toEqual([200, 200, 200, 429, 429]);
      expect(await registerFrom(base, forwarded('203.0.113.8'))).toEqual([200]);
    });
  });
});

describe('an IPv6 client', () => {
  it('that changes its address within its /64 is one client', async () => {
    await withLimits({ GATEWAY_TRUST_PROXY_HOPS: '1' }, async (base) => {
      const same = forwarded(
        '2001:db8:1:2::1',
        '2001:db8:1:2:ffff::',
        '2001:0DB8:0001:0002:a:b:c:d',
        '2001:db8:1:2::2',
      );
      expect(await registerFrom(base, same)).toEqual([200, 200, 200, 429]);
      expect(await registerFrom(base, forwarded('2001:db8:1:3::1'))).toEqual([200]);
    });
  });

  it('that writes an IPv4 address as IPv6 is the IPv4 client', async () => {
    await withLimits({ GATEWAY_TRUST_PROXY_HOPS: '1' }, async (base) => {
      const same = forwarded('203.0.113.7', '::ffff:203.0.113.7', '::FFFF:203.0.113.7');
      expect(await registerFrom(base, [...same, ...same])).toEqual([200, 200, 200, 429, 429, 429]);
    });
  });
});

describe('bad tokens', () => {
  it('of one address are counted together, whatever the token and the path', async () => {
    await withLimits({ RATE_LIMIT_STRANGERS: '5/60' }, async (base) => {
      const statuses: number[] = [];
      for (let index = 0; index < 4; index += 1)
        for (const path of ['/api/users/me', '/api/orders'])
          statuses.push(
            (await request(base).get(path).set('Authorization', `Bearer forged-${index}`)).status,
          );
      expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
      const good = `Bearer ${service.newToken()}`;
      await request(base).get('/api/orders').set('Authorization', good).expect(200);
    });
  });
});
