import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createSystemRandom } from '@quicksale/shared/process';
import { eventually } from '@quicksale/shared/testing';
import { expectBalanced } from './sale-books.ts';
import { startSystem, type System } from './system.ts';

describe('one order, end to end', () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({ name: 'flow' });
  }, 120_000);
  afterAll(() => system?.stop(), 60_000);

  it('goes from sign-up to a pushed confirmation', async () => {
    const { api } = system;
    const person = {
      email: 'ada@example.com',
      password: 'correct horse battery',
      firstName: 'Ada',
      lastName: 'L',
    };
    const registered = await api.call('/api/auth/register', { body: person });
    expect(registered).toMatchObject({
      status: 201,
      body: {
        message: 'User registered successfully',
        user: { email: person.email, firstName: 'Ada', lastName: 'L', role: 'CUSTOMER' },
        accessToken: expect.any(String),
        refreshToken: expect.any(String),
      },
    });
    const login = await api.call('/api/auth/login', {
      body: { email: person.email, password: person.password },
    });
    expect(login).toMatchObject({ status: 200, body: { message: 'Login successful' } });
    const token = String(login.body.accessToken);
    const userId = (login.body.user as { id: string }).id;

    const { productId, saleId } = await system.givenProduct(3);
    const socket = await system.openSocket(system.socketUrl.direct, token);
    const throughGateway = await system.openSocket(system.socketUrl.gateway, token);
    expect(await socket.waitFor(({ type }) => type === 'welcome')).toMatchObject({
      data: { userId, lastSeq: 0, unread: 0 },
    });

    const placed = await api.placeOrder({ token, key: 'order-001', productId, quantity: 2 });
    expect(placed).toMatchObject({
      status: 201,
      body: {
        message: 'Order created successfully',
        order: {
          userId,
          saleId,
          status: 'PENDING',
          inventoryStatus: 'PENDING',
          totalAmount: 99.98,
          currency: 'USD',
          idempotencyKey: 'order-001',
          items: [{ productId, quantity: 2, unitPrice: 49.99 }],
          reservation: { expiresAt: null, units: 2 },
        },
      },
    });
    const { _id: orderId, orderNumber } = placed.body.order as Record<string, string>;
    expect(placed.headers.get('location')).toBe(`/api/orders/${orderId}`);

    for (const one of [socket, throughGateway])
      expect(await one.waitFor(({ type }) => type === 'order.update')).toMatchObject({
        seq: 1,
        data: {
          orderId,
          orderNumber,
          status: 'CONFIRMED',
          inventoryStatus: 'RESERVED',
          version: 2,
        },
      });
    const read = await api.call(`/api/orders/${orderId}`, { token });
    expect(read).toMatchObject({
      status: 200,
      body: { _id: orderId, status: 'CONFIRMED', inventoryStatus: 'RESERVED', version: 2 },
    });
    const product = await api.call(`/api/inventory/products/${productId}`);
    expect(product.body).toMatchObject({ stock: 3, reserved: 2, available: 1 });
    socket.close();
    throughGateway.close();

    // Who was away gets what was missed.
    const back = await system.openSocket(system.socketUrl.direct, token);
    back.send({ type: 'resume', data: { lastSeq: 0 } });
    expect(await back.waitFor(({ type }) => type === 'order.update')).toMatchObject({
      seq: 1,
      data: { orderId, status: 'CONFIRMED' },
    });
    back.close();
  });

  it('replays the same key byte for byte, and refuses it with another body', async () => {
    const { api } = system;
    const { productId } = await system.givenProduct(10);
    const { token } = system.signIn();
    const order = { token, key: '"again"', productId };
    const first = await api.placeOrder(order);
    expect(first.status).toBe(201);
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    for (const key of ['again', '"again"']) {
      const replay = await api.placeOrder({ ...order, key });
      expect(replay.status).toBe(201);
      expect(replay.text).toBe(first.text);
      expect(replay.headers.get('idempotent-replayed')).toBe('true');
    }
    expect(await api.placeOrder({ ...order, quantity: 2 })).toMatchObject({
      status: 422,
      body: { code: 'idempotency-key-reused' },
    });
    const missing = await api.call('/api/orders', {
      token,
      body: { items: [{ productId, quantity: 1 }] },
    });
    expect(missing).toMatchObject({ status: 400, body: { code: 'idempotency-key-required' } });
    // Somebody else's equal key is its own order.
    const other = await api.placeOrder({ ...order, token: system.signIn().token });
    expect(other.status).toBe(201);
    expect(other.text).not.toBe(first.text);
    const product = await api.call(`/api/inventory/products/${productId}`);
    expect(product.body).toMatchObject({ available: 8 });
  });

  it('makes one order of eight parallel requests with one key', async () => {
    const { productId } = await system.givenProduct(10);
    const { token } = system.signIn();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => system.api.placeOrder({ token, key: 'parallel', productId })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(201));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const product = await system.api.call(`/api/inventory/products/${productId}`);
    expect(product.body).toMatchObject({ available: 9 });
  });

  it('takes nothing of an order when one of its products is sold out', async () => {
    const { api } = system;
    const first = await system.givenProduct(2);
    const second = await api.call('/api/inventory/products', {
      token: first.token,
      body: { name: 'Vase', description: 'V', price: 5, stock: 1, sku: 'VASE', category: 'vases' },
    });
    expect(second.status).toBe(201);
    const vaseId = (second.body.product as { _id: string })._id;
    const { token } = system.signIn();
    const answer = await api.call('/api/orders', {
      token,
      key: 'both',
      body: {
        items: [
          { productId: first.productId, quantity: 1 },
          { productId: vaseId, quantity: 2 },
        ],
      },
    });
    expect(answer).toMatchObject({
      status: 409,
      body: { code: 'sold-out', products: [{ productId: vaseId, available: 1 }] },
    });
    for (const [id, available] of [
      [first.productId, 2],
      [vaseId, 1],
    ])
      expect((await api.call(`/api/inventory/products/${id}`)).body).toMatchObject({ available });
  });

  it('cancels an order, tells its buyer, and sells the unit to somebody else', async () => {
    const { api } = system;
    const { productId, token: merchant } = await system.givenProduct(1);
    const { token } = system.signIn();
    const socket = await system.openSocket(system.socketUrl.gateway, token);
    const { body } = await api.placeOrder({ token, key: 'mine', productId });
    const { _id: orderId } = body.order as { _id: string };
    await socket.waitFor(({ data }) => data.status === 'CONFIRMED');
    const cancelled = await api.call(`/api/orders/${orderId}/cancel`, {
      method: 'POST',
      token,
      key: 'cancel',
      body: { reason: 'too dear' },
    });
    expect(cancelled).toMatchObject({
      status: 200,
      body: { _id: orderId, status: 'CANCELLED', inventoryStatus: 'RELEASED', version: 3 },
    });
    expect(await socket.waitFor(({ data }) => data.status === 'CANCELLED')).toMatchObject({
      data: { orderId, inventoryStatus: 'RELEASED', version: 3 },
    });
    socket.close();
    const next = { token: system.signIn().token, productId };
    expect((await api.placeOrder({ ...next, key: 'a' })).status).toBe(201);
    expect((await api.placeOrder({ ...next, key: 'b' })).body.code).toBe('sold-out');
    const restocked = await api.call(`/api/inventory/products/${productId}/restock`, {
      token: merchant,
      key: 'delivery-1',
      body: { units: 2, reason: 'restock' },
    });
    expect(restocked).toMatchObject({ status: 200, body: { stock: 3, available: 2 } });
    expect((await api.placeOrder({ ...next, key: 'c' })).status).toBe(201);
  });

  it('puts units aside: an order takes them, their owner gives them back, the shop keeps them', async () => {
    const { api } = system;
    const { productId, saleId, token: merchant } = await system.givenProduct(6);
    const buyer = system.signIn();
    const items = [{ productId, quantity: 2 }];
    const hold = async () => {
      const held = await api.call('/api/inventory/reserve', {
        token: buyer.token,
        body: { items },
      });
      expect(held).toMatchObject({ status: 201, body: { items } });
      return String(held.body.holdId);
    };
    const [ordered, released, confirmed] = [await hold(), await hold(), await hold()];
    const placed = { token: buyer.token, productId, quantity: 2 };
    expect(await api.placeOrder({ ...placed, key: 'nothing-left' })).toMatchObject({ status: 409 });

    const body = { items, holdId: ordered };
    expect(
      await api.call('/api/orders', { token: buyer.token, key: 'of-a-hold', body }),
    ).toMatchObject({ status: 201, body: { order: { reservation: { units: 2 } } } });
    const end = (what: string, holdId: string, token: string) =>
      api.call(`/api/inventory/${what}`, { token, body: { holdId } });
    expect(await end('release', released, buyer.token)).toMatchObject({ status: 200 });
    expect(await end('confirm', confirmed, buyer.token)).toMatchObject({ status: 403 });
    const taken = await end('confirm', confirmed, merchant);
    expect(taken).toMatchObject({ status: 200, body: { orderId: expect.any(String) } });
    expect((await end('confirm', confirmed, merchant)).text).toBe(taken.text);
    expect(await end('release', confirmed, buyer.token)).toMatchObject({ status: 409 });

    expect(await api.call(`/api/inventory/products/${productId}`)).toMatchObject({
      body: { stock: 4, reserved: 2, available: 2 },
    });
    await eventually(() => expectBalanced(system, saleId));
  });

  it('shows orders to their owner and to nobody else', async () => {
    const { api } = system;
    const { productId } = await system.givenProduct(5);
    const { token } = system.signIn();
    const ids: string[] = [];
    for (const key of ['a', 'b', 'c']) {
      const { body } = await api.placeOrder({ token, key, productId });
      ids.push((body.order as { _id: string })._id);
    }
    const page = await api.call('/api/orders?limit=2', { token });
    const data = page.body.data as { _id: string }[];
    expect(data.map(({ _id }) => _id)).toEqual([ids[2], ids[1]]);
    const next = /<([^>]+)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1] ?? '';
    const rest = await api.call(next, { token });
    expect((rest.body.data as { _id: string }[]).map(({ _id }) => _id)).toEqual([ids[0]]);
    const stranger = system.signIn().token;
    // Of an id this young nobody but its buyer learns whether there is an order.
    for (const id of [ids[0], createSystemRandom().objectId(Date.now())])
      expect(await api.call(`/api/orders/${id}`, { token: stranger })).toMatchObject({
        status: 503,
        body: { code: 'order-being-recorded' },
      });
    expect(await api.call(`/api/orders/${'0'.repeat(24)}`, { token: stranger })).toMatchObject({
      status: 404,
      body: { code: 'not-found' },
    });
    expect((await api.call('/api/orders', { token: stranger })).body).toMatchObject({ data: [] });
    const tag = await eventually(async () => {
      const own = await api.call(`/api/orders/${ids[0]}`, { token });
      expect(own.body.status).toBe('CONFIRMED');
      return own.headers.get('etag') ?? '';
    });
    const same = await api.call(`/api/orders/${ids[0]}`, {
      token,
      headers: { 'if-none-match': tag },
    });
    expect(same.status).toBe(304);
  });

  it.each([
    ['no token', {}, 401, 'unauthenticated'],
    ['a broken token', { token: 'a.b.c' }, 401, 'unauthenticated'],
  ])('refuses an order with %s', async (_name, call, status, code) => {
    const answer = await system.api.call('/api/orders', { key: 'k', body: { items: [] }, ...call });
    expect(answer).toMatchObject({ status, body: { code, status } });
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  });

  it.each([
    ['no items', { items: [] }, 400],
    ['an operator for an id', { items: [{ productId: { $gt: '' }, quantity: 1 }] }, 400],
    ['a field that it must not set', { items: [], status: 'CONFIRMED', totalAmount: 0 }, 400],
    ['quantity 0', { quantity: 0 }, 400],
    ['quantity -1', { quantity: -1 }, 400],
    ['quantity 1.5', { quantity: 1.5 }, 400],
    ['quantity 1e21', { quantity: 1e21 }, 400],
    ['quantity "1"', { quantity: '1' }, 400],
    ['quantity null', { quantity: null }, 400],
    ['broken JSON', '{"items":', 400],
    ['__proto__', '{"__proto__":{"x":1},"items":[]}', 400],
    ['a product that is not there', { quantity: 1 }, 422],
  ])('answers %s clearly', async (_name, body, status) => {
    const { token } = system.signIn();
    const whole =
      typeof body === 'object' && 'quantity' in body
        ? { items: [{ productId: 'f'.repeat(24), ...body }] }
        : body;
    const answer = await system.api.call('/api/orders', { token, key: 'bad', body: whole });
    expect(answer).toMatchObject({ status, body: { requestId: expect.any(String) } });
  });
});
