import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type express from 'express';
import request from 'supertest';
import { AppError } from '../src/errors/index.ts';
import { bareApp, closeApp } from '../src/http/index.ts';
import {
  connectLimitStore,
  createRateLimiter,
  limitRequests,
  type RateLimiter,
} from '../src/limits/index.ts';
import { createLogger } from '../src/log/index.ts';
import { connectRedis, type RedisConnection } from '../src/redis/index.ts';
import { eventually, testNamespace } from '../src/testing/index.ts';

const log = createLogger({ service: 'test', level: 'silent' });
const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';
const namespace = testNamespace('limits');

let store: RedisConnection;
let limiterNumber = 0;

/** A limiter as another process would have it: same policy, own memory. */
const newLimiter = (name: string, points = 3, redis = store): RateLimiter =>
  createRateLimiter({ store: redis, namespace, policy: { name, points, windowSeconds: 60 } });
const freshName = () => `policy${(limiterNumber += 1)}`;

beforeAll(async () => {
  store = connectRedis({ url, name: 'limits', log });
  await store.start();
});
afterAll(() => store.stop());

describe('a rate limiter', () => {
  it('allows as many as the policy says, over all processes', async () => {
    const name = freshName();
    const decisions = [];
    for (const limiter of [newLimiter(name), newLimiter(name), newLimiter(name), newLimiter(name)])
      decisions.push(await limiter.take('k'));
    expect(decisions.map((d) => [d.allowed, d.remaining])).toEqual([
      [true, 2],
      [true, 1],
      [true, 0],
      [false, 0],
    ]);
    expect(decisions.at(-1)?.resetSeconds).toBeGreaterThan(55);
  });

  it('lets exactly the limit through when fifty come at once', async () => {
    const limiter = newLimiter(freshName(), 10);
    const decisions = await Promise.all(Array.from({ length: 50 }, () => limiter.take('k')));
    expect(decisions.filter((d) => d.allowed)).toHaveLength(10);
  });

  it('starts anew after a reset, in all processes, also for whoever was refused', async () => {
    const name = freshName();
    const [one, other] = [newLimiter(name), newLimiter(name)];
    for (let n = 0; n < 4; n += 1) await one.take('k');
    await one.take('else');
    expect((await one.take('k')).allowed).toBe(false);
    await one.reset('k');
    expect((await other.take('k')).remaining).toBe(2);
    expect((await one.take('k')).remaining).toBe(1);
    expect((await one.take('else')).remaining).toBe(1);
  });

  it('keeps keys apart and puts them under the namespace, with an end', async () => {
    const name = freshName();
    const limiter = newLimiter(name, 1);
    expect((await limiter.take('a')).allowed).toBe(true);
    expect((await limiter.take('b')).allowed).toBe(true);
    const key = `${namespace}:limit:${name}:a`;
    expect(await store.client.get(key)).toBe('1');
    expect(await store.client.pttl(key)).toBeGreaterThan(50_000);
  });

  it('lets one more through for a point that was given back, even after refusals', async () => {
    const limiter = newLimiter(freshName(), 2);
    await limiter.take('k');
    await limiter.take('k');
    for (let i = 0; i < 5; i += 1) expect((await limiter.take('k')).allowed).toBe(false);
    await limiter.giveBack('k');
    expect(await limiter.take('k')).toMatchObject({ allowed: true, remaining: 0 });
    expect((await limiter.take('k')).allowed).toBe(false);
  });

  it('never owes points', async () => {
    const limiter = newLimiter(freshName(), 1);
    await limiter.giveBack('k');
    await limiter.take('k');
    await limiter.giveBack('k');
    await limiter.giveBack('k');
    expect((await limiter.take('k')).allowed).toBe(true);
    expect((await limiter.take('k')).allowed).toBe(false);
  });

  it('asks Redis no more for a key that is over its limit', async () => {
    const name = freshName();
    const limiter = newLimiter(name, 1);
    await limiter.take('k');
    await limiter.take('k');
    await store.client.del(`${namespace}:limit:${name}:k`);
    expect((await limiter.take('k')).allowed).toBe(false);
  });
});

describe('without Redis', () => {
  const away = connectLimitStore({ url: 'redis://127.0.0.1:1', log });
  afterAll(() => away.stop());

  it('a service starts, is ready, and counts by itself', async () => {
    await away.start();
    expect(away.check).toBeUndefined();
    const limiter = newLimiter(freshName(), 2, away);
    expect(await limiter.take('k')).toMatchObject({ allowed: true, remaining: 1 });
    expect((await limiter.take('k')).allowed).toBe(true);
    await limiter.giveBack('k');
    expect((await limiter.take('k')).allowed).toBe(true);
    expect((await limiter.take('k')).allowed).toBe(false);
  });
});

describe('the middleware', () => {
  const newApp = (limiter: RateLimiter, handler: express.RequestHandler) => {
    const app = bareApp(0);
    app.use(limitRequests(async () => ({ limiter, key: 'k' })));
    app.use(handler);
    return closeApp(app, log);
  };
  let app: express.Express;

  it('tells the limit, and refuses with 429 and whole seconds', async () => {
    const name = freshName();
    app = newApp(newLimiter(name, 1), (_req, res) => void res.json({}));
    const first = await request(app).get('/');
    expect(first.headers['ratelimit-policy']).toBe(`"${name}";q=1;w=60`);
    expect(first.headers.ratelimit).toBe(`"${name}";r=0;t=60`);
    const second = await request(app).get('/');
    expect(second.status).toBe(429);
    expect(second.body).toMatchObject({ code: 'rate-limited' });
    expect(second.headers['retry-after']).toMatch(/^(59|60)$/);
    expect(second.headers.ratelimit).toMatch(/r=0;t=(59|60)$/);
  });

  it('gives the point back when the answer is 503', async () => {
    const limiter = newLimiter(freshName(), 2);
    app = newApp(limiter, () => {
      throw new AppError('overloaded');
    });
    for (let i = 0; i < 4; i += 1) {
      expect((await request(app).post('/')).status).toBe(503);
      await eventually(async () => {
        const decision = await limiter.take('k');
        await limiter.giveBack('k');
        expect(decision.remaining).toBe(1);
      });
    }
    const reads = [];
    for (let i = 0; i < 3; i += 1) reads.push((await request(app).get('/')).status);
    expect(reads).toEqual([503, 503, 429]);
  });
});
