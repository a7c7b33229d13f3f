import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { newId } from '@quicksale/shared/testing';
import { startOrders, type OrderFixture } from './order-fixture.ts';
import { startOrderProcess, type OrderProcess } from './order-process.ts';
import { startTokenIssuer } from './token-issuer.ts';

jest.setTimeout(60_000);

let fixture: OrderFixture;
let issuer: Awaited<ReturnType<typeof startTokenIssuer>>;
let service: OrderProcess | undefined;
beforeAll(async () => {
  fixture = await startOrders();
  issuer = await startTokenIssuer();
}, 60_000);
afterAll(async () => {
  await service?.kill();
  await issuer?.stop();
  await fixture?.stop();
}, 60_000);

it('a process that starts while Kafka is away takes orders, and ends when it is told to', async () => {
  service = await startOrderProcess({
    NAMESPACE: fixture.namespace,
    INTERNAL_KEY: 'an internal key of a test',
    JWKS_URL: issuer.jwksUrl,
    // Nobody listens there.
    KAFKA_BROKERS: '127.0.0.1:1',
  });
  const { productId } = await fixture.givenProduct(1);
  const order = { token: issuer.tokenOf(newId()), key: 'k', productId };
  expect((await service.place(order)).status).toBe(201);
  await service.stop();
  expect(service.lines.map(({ msg }) => msg)).toContain('stopped');
});
