import { Kafka, type Admin } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { connectBus } from '@quicksale/shared/bus';
import { orderCreated, type OrderCreated } from '@quicksale/shared/contracts';
import { createLogger } from '@quicksale/shared/log';
import { eventually, newId } from '@quicksale/shared/testing';
import { startOrders, type OrderFixture } from './order-fixture.ts';
import { startOrderProcess, type OrderProcess } from './order-process.ts';
import { startTokenIssuer } from './token-issuer.ts';

jest.setTimeout(60_000);

const brokers = (process.env.KAFKA_BROKERS ?? '').split(',');
const mostItems = 20;
/** The largest body that POST /api/orders reads. */
const mostBytes = 16 * 1024;
/** Of the topic: an order of one product gets out alone, neither two nor one of twenty do. */
const topicBytes = 1_200;

describe('the size of events', () => {
  let fixture: OrderFixture;
  let issuer: Awaited<ReturnType<typeof startTokenIssuer>>;
  let service: OrderProcess;
  let admin: Admin;
  const received: OrderCreated[] = [];
  const bus = (namespace: string) =>
    connectBus({
      brokers,
      clientId: 'test',
      namespace,
      log: createLogger({ service: 'test', level: 'silent' }),
    });
  let reader: ReturnType<typeof bus>;
  let consumer: ReturnType<ReturnType<typeof bus>['createConsumer']>;
  beforeAll(async () => {
    fixture = await startOrders();
    // Its own sweeps know a bus in memory only: the process is to send everything.
    await fixture.stopService();
    issuer = await startTokenIssuer();
    admin = new Kafka({ brokers, logLevel: 0 }).admin();
    await admin.connect();
    service = await startOrderProcess({
      NAMESPACE: fixture.namespace,
      INTERNAL_KEY: 'an internal key of a test',
      JWKS_URL: issuer.jwksUrl,
    });
    reader = bus(fixture.namespace);
    await reader.start();
    consumer = reader.createConsumer({
      contract: orderCreated,
      group: 'quicksale.test',
      handle: async (batch) => void received.push(...batch.map(({ data }) => data)),
    });
    await consumer.start();
  }, 60_000);
  afterAll(async () => {
    await consumer?.stop();
    await reader?.stop();
    await service?.stop();
    await admin?.disconnect();
    await issuer?.stop();
    await fixture?.stop();
  }, 60_000);

  const limitTopic = (bytes: number) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: 2,
          name: `${fixture.namespace}.order.created`,
          configEntries: [{ name: 'max.message.bytes', value: String(bytes) }],
        },
      ],
    });

  /** Products of one sale. */
  async function givenProducts(count: number) {
    const { productId, saleId } = await fixture.givenProduct(100);
    const productIds = [productId];
    while (productIds.length < count) {
      const next = newId();
      await fixture.givenCatalogueEntry({ productId: next, saleId });
      productIds.push(next);
    }
    await fixture.putSale({
      saleId,
      settingsVersion: 2,
      products: productIds.map((id) => ({ productId: id, price: 4999, away: false })),
    });
    for (const id of productIds) await fixture.ledger.raise(saleId, id, 1_000);
    return { saleId, productIds };
  }

  const post = (body: string, key = 'k') =>
    fetch(`${service.url}/api/orders`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${issuer.tokenOf(newId())}`,
        'idempotency-key': key,
        'content-type': 'application/json',
      },
      body,
    });
  const itemsOf = (productIds: readonly string[], quantity: number) =>
    productIds.map((productId) => ({ productId, quantity }));
  const orderIdOf = async (answer: Response) => {
    const { order } = (await answer.json()) as { order: { _id: string } };
    return order._id;
  };

  it('fault 9: the largest order that HTTP takes gets through the broker', async () => {
    const { productIds } = await givenProducts(mostItems);
    const line = '\u{1F3EE}'.repeat(100);
    const address = {
      name: line,
      line1: line,
      line2: line,
      city: line,
      region: line,
      postalCode: '9'.repeat(20),
      country: 'DE',
    };
    const order = {
      items: itemsOf(productIds, 100),
      shippingAddress: address,
      billingAddress: address,
    };
    // White space up to the last byte that is read.
    const body = JSON.stringify(order);
    const padding = ' '.repeat(mostBytes - Buffer.byteLength(body));
    expect((await post(body + padding + ' ', 'k'.repeat(255))).status).toBe(413);
    const answer = await post(body + padding, 'k'.repeat(255));
    expect(answer.status).toBe(201);
    const orderId = await orderIdOf(answer);
    const event = await eventually(() => {
      const found = received.find((one) => one.orderId === orderId);
      if (!found) throw new Error('not yet');
      return found;
    });
    expect(event.items).toEqual(order.items);
    const bytes = Buffer.byteLength(JSON.stringify(event));
    // Far from what the bus and the broker take: nothing that a buyer sends is too large for them.
    expect(bytes).toBeLessThan(4 * 1024);
    process.stdout.write(`largest order: ${mostBytes} bytes of HTTP, event of ${bytes} bytes\n`);
  });

  it('fault 9: an event that the broker refuses blocks no other one, and its order counts as stuck', async () => {
    const { saleId, productIds } = await givenProducts(mostItems);
    await limitTopic(topicBytes);
    const few = productIds.slice(0, 1);
    // Placed together: they are recorded in groups, whose events leave in one batch.
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        post(JSON.stringify({ items: itemsOf(n % 10 === 5 ? productIds : few, 1) })),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    const ids = await Promise.all(answers.map(orderIdOf));
    const refused = ids.filter((_, n) => n % 10 === 5);
    const fine = ids.filter((id) => !refused.includes(id));
    await eventually(() => {
      const seen = new Set(received.map(({ orderId }) => orderId));
      expect(fine.filter((id) => !seen.has(id))).toEqual([]);
    });

    // An hour later all of them are due at once: the scan sends the large ones with the others.
    const sentBefore = received.length;
    await fixture.mongo
      .db()
      .collection('orders')
      .updateMany({ saleId }, { $set: { outboxAt: new Date(0), updatedAt: new Date(0) } });
    await eventually(() => {
      const again = new Set(received.slice(sentBefore).map(({ orderId }) => orderId));
      expect(fine.filter((id) => !again.has(id))).toEqual([]);
      expect(refused.filter((id) => again.has(id))).toEqual([]);
    });
    await eventually(() => {
      const alarms = (msg: string) =>
        service.lines.filter((line) => line.msg === msg && line.level === 'error');
      const told = alarms('an event of an order is refused by the bus');
      expect(new Set(told.map(({ orderId }) => orderId))).toEqual(new Set(refused));
      const stuck = new Set(alarms('an order is stuck').map(({ orderId }) => orderId));
      expect(refused.filter((id) => !stuck.has(id))).toEqual([]);
    });
    const metrics = await (await fetch(`${service.adminUrl}/metrics`)).text();
    expect(metrics).toMatch(new RegExp(`^quicksale_stuck_orders ${ids.length}$`, 'm'));
    expect((await fetch(`${service.adminUrl}/readyz`)).status).toBe(200);

    // The topic is repaired: what waited goes out, without anybody's doing.
    await limitTopic(1024 * 1024);
    await fixture.mongo
      .db()
      .collection('orders')
      .updateMany({ saleId }, { $set: { outboxAt: new Date(0) } });
    await eventually(() => {
      const seen = new Set(received.map(({ orderId }) => orderId));
      expect(refused.filter((id) => !seen.has(id))).toEqual([]);
    });
  });
});
