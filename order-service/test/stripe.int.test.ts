// The Stripe adapter against stripe-mock, which is Stripe's own: it refuses requests that do not fit
// Stripe's API description, and answers with examples whatever was asked. It keeps no state, so a
// proxy records what reaches it, and what is asserted is above all what the adapter sends. What it
// cannot show: that money moves, declines, an intent that was paid or cancelled before, and that an
// idempotency key has an effect. stripe-answers.int.test.ts shows what the adapter makes of those
// answers; that Stripe gives them, only an account with Stripe can show.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { findFreePorts, stripeMockPart } from '@quicksale/local-stack';
import { createLogger } from '@quicksale/shared/log';
import { newId } from '@quicksale/shared/testing';
import type { PaymentProvider } from '../src/payments/payment-provider.ts';
import { createStripeProvider } from '../src/payments/stripe/stripe-provider.ts';
import { startRecordingProxy } from './recording-proxy.ts';

// The first run compiles stripe-mock.
jest.setTimeout(300_000);

const log = createLogger({ service: 'test', level: 'silent' });
const secrets = { secretKey: 'sk_test_123', webhookSecret: 'whsec_of_a_test', log };
const [userId, paymentId] = [newId(), newId()];

let folder: string;
let mock: ChildProcess;
let proxy: Awaited<ReturnType<typeof startRecordingProxy>>;
let provider: PaymentProvider;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quicksale-stripe-'));
  const { part, url } = await stripeMockPart(folder, process.env);
  mock = spawn(part.command, part.args, { env: part.env, cwd: part.cwd, stdio: 'ignore' });
  await part.ready(AbortSignal.timeout(20_000), mock.pid ?? 0);
  proxy = await startRecordingProxy(url);
  provider = createStripeProvider({ ...secrets, apiUrl: proxy.url });
});
afterAll(async () => {
  await proxy?.stop();
  if (mock?.kill()) await once(mock, 'close');
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  proxy.reset();
  // Of the example it makes up an owner when it is asked for one.
  givenOwner(undefined);
});

const sent = () => proxy.requests.map(({ method, path, fields }) => [method, path, fields]);
const keys = () => proxy.requests.map(({ headers }) => headers['idempotency-key']);
/** The example method as one that is stored for a user, or for nobody. */
const givenOwner = (owner: string | undefined) =>
  proxy.amend(/^\/v1\/payment_methods\//, (method) => ({
    ...method,
    customer: owner ? { id: 'cus_of_user', object: 'customer', metadata: { userId: owner } } : null,
  }));

describe('an intent', () => {
  const request = { paymentId, userId, amount: 12_345, currency: 'EUR', idempotencyKey: 'pay-1' };

  it('is made for amount, currency and payment, under the key that was given', async () => {
    expect(await provider.createIntent(request)).toEqual({
      ...{ id: expect.stringMatching(/^pi_/), status: 'open' },
      ...{ amount: 12_345, currency: 'EUR' },
    });
    const fields = {
      ...{ amount: '12345', currency: 'eur' },
      ...{ 'metadata[paymentId]': paymentId, 'metadata[userId]': userId },
      'automatic_payment_methods[enabled]': 'true',
      'automatic_payment_methods[allow_redirects]': 'never',
    };
    expect(sent()).toEqual([['POST', '/v1/payment_intents', fields]]);
    expect(keys()).toEqual(['pay-1']);
  });

  it.each(['JPY', 'KWD'])('is not made in %s, whose parts are not hundredths', async (currency) => {
    await expect(provider.createIntent({ ...request, currency })).rejects.toMatchObject({
      code: 'validation-failed',
    });
    expect(sent()).toEqual([]);
  });

  const confirm = { intentId: 'pi_1', methodToken: 'pm_card_visa', userId, idempotencyKey: 'c-1' };

  it('is confirmed with a new method, under the key that was given', async () => {
    proxy.amend(/confirm$/, (intent) => ({ ...intent, status: 'succeeded' }));
    expect(await provider.confirmIntent(confirm)).toMatchObject({
      id: 'pi_1',
      status: 'succeeded',
    });
    expect(sent()).toEqual([
      ['GET', '/v1/payment_methods/pm_card_visa', { 'expand[0]': 'customer' }],
      [
        ...['POST', '/v1/payment_intents/pi_1/confirm'],
        { payment_method: 'pm_card_visa', error_on_requires_action: 'true' },
      ],
    ]);
    expect(keys()[1]).toBe('c-1');
  });

  it('is confirmed with a stored method for its owner', async () => {
    givenOwner(userId);
    await provider.confirmIntent(confirm);
    expect(sent().slice(1)).toEqual([
      ['POST', '/v1/payment_intents/pi_1', { customer: 'cus_of_user' }],
      [
        ...['POST', '/v1/payment_intents/pi_1/confirm'],
        { payment_method: 'pm_card_visa', error_on_requires_action: 'true' },
      ],
    ]);
    expect(keys()[2]).toBe('c-1');
  });

  it('is not confirmed with a method that is stored for somebody else', async () => {
    givenOwner(newId());
    await expect(provider.confirmIntent(confirm)).rejects.toMatchObject({
      code: 'validation-failed',
    });
    expect(sent().filter(([method]) => method === 'POST')).toEqual([]);
  });

  it.each(['', '..', 'pm/../customers', 'pm 1', 'x'.repeat(256)])(
    'is not confirmed with %j, which is no token',
    async (methodToken) => {
      const confirmed = provider.confirmIntent({ ...confirm, methodToken });
      await expect(confirmed).rejects.toMatchObject({ code: 'validation-failed' });
      expect(sent()).toEqual([]);
    },
  );

  it('is read', async () => {
    expect(await provider.readIntent('pi_7')).toMatchObject({ id: 'pi_7', status: 'open' });
    expect(sent()).toEqual([['GET', '/v1/payment_intents/pi_7', {}]]);
  });

  it('is cancelled', async () => {
    proxy.amend(/cancel$/, (intent) => ({ ...intent, status: 'canceled' }));
    expect(await provider.cancelIntent('pi_7')).toMatchObject({ status: 'cancelled' });
    expect(sent()).toEqual([['POST', '/v1/payment_intents/pi_7/cancel', {}]]);
  });
});

describe('a refund', () => {
  const refund = { intentId: 'pi_1', amount: 250, refundId: 'refund-1' };

  it('is made for its amount under its own id, which is also kept with it', async () => {
    expect(await provider.refund(refund)).toEqual({
      id: expect.stringMatching(/^re_/),
      status: 'succeeded',
    });
    expect(sent()).toEqual([
      ['GET', '/v1/refunds', { payment_intent: 'pi_1', limit: '100' }],
      [
        ...['POST', '/v1/refunds'],
        { payment_intent: 'pi_1', amount: '250', 'metadata[refundId]': 'refund-1' },
      ],
    ]);
    expect(keys()[1]).toBe('refund-1');
  });

  it('that Stripe has is not made again, however old its key is', async () => {
    const known = {
      id: 're_9',
      object: 'refund',
      status: 'pending',
      metadata: { refundId: 'refund-1' },
    };
    proxy.amend(/refunds$/, (list) => ({ ...list, data: [known] }));
    expect(await provider.refund(refund)).toEqual({ id: 're_9', status: 'pending' });
    expect(sent().map(([method]) => method)).toEqual(['GET']);
  });
});

describe('a stored method', () => {
  const owned = { userId, token: 'pm_card_visa' };
  const shown = { token: 'pm_card_visa', brand: 'visa', last4: '4242' };

  it('is attached to a customer that is made once for its user', async () => {
    expect(await provider.saveMethod(owned)).toEqual(shown);
    expect(sent().slice(1)).toEqual([
      ['GET', '/v1/customers/search', { query: `metadata['userId']:'${userId}'`, limit: '10' }],
      ['POST', '/v1/customers', { 'metadata[userId]': userId }],
      [
        ...['POST', '/v1/payment_methods/pm_card_visa/attach'],
        { customer: expect.stringMatching(/^cus_/) },
      ],
    ]);
    expect(keys()[2]).toBe(`customer-${userId}`);
  });

  it('is attached to the customer that its user has', async () => {
    const known = { id: 'cus_7', object: 'customer', metadata: { userId } };
    proxy.amend(/search$/, (list) => ({ ...list, data: [known] }));
    await provider.saveMethod(owned);
    expect(sent().slice(2)).toEqual([
      ['POST', '/v1/payment_methods/pm_card_visa/attach', { customer: 'cus_7' }],
    ]);
  });

  it('is stored once', async () => {
    givenOwner(userId);
    expect(await provider.saveMethod(owned)).toEqual(shown);
    expect(sent()).toHaveLength(1);
  });

  it('of somebody else cannot be stored, and is not removed', async () => {
    givenOwner(newId());
    await expect(provider.saveMethod(owned)).rejects.toMatchObject({ code: 'validation-failed' });
    await provider.removeMethod(owned);
    expect(sent().map(([method]) => method)).toEqual(['GET', 'GET']);
  });

  it('is detached', async () => {
    givenOwner(userId);
    await provider.removeMethod(owned);
    expect(sent().slice(1)).toEqual([['POST', '/v1/payment_methods/pm_card_visa/detach', {}]]);
  });
});

it('tells Stripe the version that it was written for, and nothing of this machine', async () => {
  // What the SDK reports of a request goes with the one after it.
  await provider.readIntent('pi_1');
  await provider.readIntent('pi_1');
  for (const { headers } of proxy.requests) {
    expect(headers['stripe-version']).toBe('2026-10-28.endive');
    expect(headers['x-stripe-client-telemetry']).toBeUndefined();
    const client = JSON.parse(String(headers['x-stripe-client-user-agent'])) as object;
    expect(Object.keys(client)).not.toContain('platform');
  }
});

it('says that Stripe is unreachable', async () => {
  const [port] = await findFreePorts(1, process.env);
  const away = createStripeProvider({ ...secrets, apiUrl: `http://127.0.0.1:${port}` });
  const unreachable = { code: 'dependency-unavailable' };
  const owned = { userId, token: 'pm_1' };
  await expect(away.readIntent('pi_1')).rejects.toMatchObject(unreachable);
  await expect(away.cancelIntent('pi_1')).rejects.toMatchObject(unreachable);
  await expect(away.saveMethod(owned)).rejects.toMatchObject(unreachable);
  await expect(away.removeMethod(owned)).rejects.toMatchObject(unreachable);
  await expect(away.refund({ intentId: 'pi_1', amount: 1, refundId: 'r' })).rejects.toMatchObject(
    unreachable,
  );
});
