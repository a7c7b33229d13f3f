import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testNamespace } from '@quicksale/shared/testing';
import {
  buildGateway,
  startFakeService,
  withGateway,
  type FakeService,
} from './gateway-fixture.ts';

describe('limits of what follows an order', () => {
  let service: FakeService;
  beforeAll(async () => {
    service = await startFakeService();
  });
  afterAll(() => service?.stop());

  const withLimits = (env: Record<string, string>, use: (url: string) => Promise<void>) =>
    withGateway(
      buildGateway({ namespace: testNamespace('shop'), serviceUrl: service.url, env }),
      use,
    );

  async function post(url: string, path: string, token?: string): Promise<number> {
    const answer = await fetch(url + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: '{}',
    });
    return answer.status;
  }

  it('count a checkout as an order', async () => {
    await withLimits({ RATE_LIMIT_ORDERS: '2/60' }, async (url) => {
      const token = service.newToken();
      const paths = ['/api/orders', '/api/cart/checkout', '/api/cart/checkout'];
      const statuses: number[] = [];
      for (const path of paths) statuses.push(await post(url, path, token));
      expect(statuses).toEqual([200, 200, 429]);
      expect(await post(url, '/api/cart/items', token)).toBe(200);
    });
  });

  it("let a provider's webhooks through, which come from few addresses", async () => {
    const limits = { RATE_LIMIT_WEBHOOKS: '3/60', RATE_LIMIT_DEFAULT: '1/60' };
    await withLimits(limits, async (url) => {
      const statuses: number[] = [];
      for (let n = 0; n < 4; n += 1)
        statuses.push(await post(url, '/api/payments/webhook/simulator'));
      expect(statuses).toEqual([200, 200, 200, 429]);
    });
  });

  it('count every 503 of a payment whose order is named', async () => {
    service.answerWith((_req, res) => void res.writeHead(503).end());
    await withLimits({ RATE_LIMIT_DEFAULT: '2/60' }, async (url) => {
      const token = service.newToken();
      const statuses: number[] = [];
      for (let n = 0; n < 3; n += 1) statuses.push(await post(url, '/api/payments/intent', token));
      expect(statuses).toEqual([503, 503, 429]);
    });
  });
});
