// What the Stripe adapter makes of answers that stripe-mock never gives. The server here is a fake:
// it answers with the JSON that Stripe's documentation shows, whatever it is asked.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createLogger } from '@quicksale/shared/log';
import { newId } from '@quicksale/shared/testing';
import type { PaymentProvider } from '../src/payments/payment-provider.ts';
import { createStripeProvider } from '../src/payments/stripe/stripe-provider.ts';

/** An answer, or what happens instead of one. */
type FakeAnswer = [status: number, body: object | string] | 'silence' | 'dripping' | 'reset';

const userId = newId();
// Looks like one and opens nothing.
const secretKey = 'sk_test_51SecretOfATest';
const lines: string[] = [];
const answers = new Map<string, FakeAnswer[]>();
const asked: string[] = [];
/** Idempotency keys of what was asked. */
const keys: unknown[] = [];
let server: Server;
let provider: PaymentProvider;
/** For answers that never end. */
let hasty: PaymentProvider;

beforeAll(async () => {
  server = createServer((req, res) => {
    const call = `${req.method} ${(req.url ?? '').split('?')[0]}`;
    asked.push(call);
    keys.push(req.headers['idempotency-key']);
    const answer = answers.get(call)?.shift() ?? [500, { error: { message: `${call}?` } }];
    if (answer === 'reset') req.socket.resetAndDestroy();
    else if (answer === 'dripping') {
      res.writeHead(200, { 'Content-Type': 'application/json' });
      const timer = setInterval(() => res.write(' '), 20);
      res.once('close', () => clearInterval(timer));
    } else if (answer !== 'silence') {
      const [status, body] = answer;
      res.writeHead(status, { 'Content-Type': 'application/json', 'Request-Id': 'req_1' });
      res.end(typeof body === 'string' ? body : JSON.stringify(body));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const settings = {
    ...{ secretKey, webhookSecret: 'whsec_x' },
    apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log: createLogger(
      { service: 'test', level: 'trace' },
      { write: (line) => void lines.push(line) },
    ),
  };
  provider = createStripeProvider({ ...settings, timeoutMs: 30_000 });
  hasty = createStripeProvider({ ...settings, timeoutMs: 300 });
});
afterEach(() => {
  answers.clear();
  asked.splice(0);
  keys.splice(0);
  lines.splice(0);
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const given = (call: string, ...said: FakeAnswer[]) => void answers.set(call, said);
const error = (status: number, body: object): FakeAnswer => [status, { error: body }];

const intent = { id: 'pi_1', object: 'payment_intent', amount: 500, currency: 'usd', metadata: {} };
const declined = {
  ...{ ...intent, status: 'requires_payment_method' },
  last_payment_error: { type: 'card_error', code: 'card_declined', decline_code: 'lost_card' },
};
const method = {
  ...{ id: 'pm_1', object: 'payment_method', type: 'card', customer: null },
  card: { brand: 'visa', last4: '4242' },
};
const methodOf = (owner: string) => ({
  ...method,
  customer: { id: 'cus_1', object: 'customer', metadata: { userId: owner } },
});
const unexpected = error(400, {
  ...{ type: 'invalid_request_error', code: 'payment_intent_unexpected_state', message: 'no' },
});
const noSuch = (param: string) =>
  error(404, { type: 'invalid_request_error', code: 'resource_missing', param, message: 'no' });

const calls = {
  read: 'GET /v1/payment_intents/pi_1',
  create: 'POST /v1/payment_intents',
  update: 'POST /v1/payment_intents/pi_1',
  confirm: 'POST /v1/payment_intents/pi_1/confirm',
  cancel: 'POST /v1/payment_intents/pi_1/cancel',
  method: 'GET /v1/payment_methods/pm_1',
  attach: 'POST /v1/payment_methods/pm_1/attach',
  detach: 'POST /v1/payment_methods/pm_1/detach',
  search: 'GET /v1/customers/search',
  refunds: 'GET /v1/refunds',
  refund: 'POST /v1/refunds',
};
const confirm = () =>
  provider.confirmIntent({ intentId: 'pi_1', methodToken: 'pm_1', userId, idempotencyKey: 'k' });
const create = (by = provider) =>
  by.createIntent({ paymentId: 'p', userId, amount: 5, currency: 'USD', idempotencyKey: 'k' });
const owned = { userId, token: 'pm_1' };

describe('a card that is declined', () => {
  const refusal = { type: 'card_error', code: 'card_declined', decline_code: 'insufficient_funds' };

  it('leaves the intent open, with the code that came with the refusal', async () => {
    given(calls.method, [200, method]);
    given(calls.confirm, error(402, { ...refusal, message: 'no', payment_intent: declined }));
    expect(await confirm()).toEqual({
      ...{ id: 'pi_1', status: 'open', amount: 500, currency: 'USD' },
      declineCode: 'insufficient_funds',
    });
    expect(asked).toEqual([calls.method, calls.confirm]);
  });

  it('is read when the intent did not come with the refusal', async () => {
    given(calls.method, [200, method]);
    given(calls.confirm, error(402, { type: 'card_error', code: 'expired_card', message: 'no' }));
    given(calls.read, [200, { ...intent, status: 'requires_payment_method' }]);
    expect(await confirm()).toMatchObject({ status: 'open', declineCode: 'expired_card' });
  });

  it('is told again whenever the intent is read', async () => {
    given(calls.read, [200, declined]);
    expect(await provider.readIntent('pi_1')).toMatchObject({ declineCode: 'lost_card' });
  });

  it('whose bank wants to see the buyer is one of them', async () => {
    given(calls.read, [200, { ...intent, status: 'requires_action' }]);
    expect(await provider.readIntent('pi_1')).toMatchObject({
      ...{ status: 'open', declineCode: 'authentication_required' },
    });
  });

  it('cannot be stored', async () => {
    given(calls.method, [200, method], [200, method]);
    given(calls.search, [200, { data: [{ id: 'cus_1', metadata: { userId } }] }]);
    given(calls.attach, error(402, { ...refusal, message: 'no' }));
    await expect(provider.saveMethod(owned)).rejects.toMatchObject({ code: 'validation-failed' });
  });
});

describe('an intent', () => {
  it.each([
    ['requires_confirmation', 'open'],
    ['processing', 'processing'],
    ['requires_capture', 'processing'],
    ['succeeded', 'succeeded'],
    ['canceled', 'cancelled'],
    ['something_new', 'processing'],
  ])('that is %s is %s', async (status, expected) => {
    given(calls.read, [200, { ...intent, status }]);
    const read = await provider.readIntent('pi_1');
    expect(read).toEqual({ id: 'pi_1', status: expected, amount: 500, currency: 'USD' });
  });

  it('that was paid before is answered as it stands, and nothing is charged', async () => {
    const paid = { ...intent, status: 'succeeded' };
    given(calls.method, [200, method], [200, methodOf(userId)]);
    given(calls.confirm, unexpected);
    given(calls.cancel, unexpected);
    given(calls.update, unexpected);
    given(calls.read, [200, paid], [200, paid], [200, paid]);
    const stands = { id: 'pi_1', status: 'succeeded' };
    expect(await confirm()).toMatchObject(stands);
    expect(await provider.cancelIntent('pi_1')).toMatchObject(stands);
    asked.splice(0);
    // With a stored method it is the owner's name that cannot be put on it any more.
    expect(await confirm()).toMatchObject(stands);
    expect(asked).toEqual([calls.method, calls.update, calls.read]);
  });

  it('is not confirmed with a token that there is not, or that may not be used again', async () => {
    given(calls.method, noSuch('payment_method'), [200, method]);
    given(calls.confirm, error(400, { type: 'invalid_request_error', param: 'payment_method' }));
    await expect(confirm()).rejects.toMatchObject({ code: 'validation-failed' });
    expect(asked).toEqual([calls.method]);
    await expect(confirm()).rejects.toMatchObject({ code: 'validation-failed' });
  });

  it('of less than Stripe takes is not made', async () => {
    const small = { type: 'invalid_request_error', code: 'amount_too_small', param: 'amount' };
    given(calls.create, error(400, small));
    await expect(create()).rejects.toMatchObject({ code: 'validation-failed' });
  });

  it('that Stripe does not know is a defect, as is a key used for two things', async () => {
    given(calls.read, noSuch('intent'));
    await expect(provider.readIntent('pi_1')).rejects.toMatchObject({ code: 'internal' });
    given(calls.create, error(400, { type: 'idempotency_error', message: 'other parameters' }));
    await expect(create()).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('a method', () => {
  it('that a twin of the request has stored, or removed, is fine', async () => {
    const taken = error(400, { type: 'invalid_request_error', message: 'already attached' });
    given(calls.method, [200, method], [200, methodOf(userId)]);
    given(calls.search, [200, { data: [{ id: 'cus_1', metadata: { userId } }] }]);
    given(calls.attach, taken);
    expect(await provider.saveMethod(owned)).toEqual({
      ...{ token: 'pm_1', brand: 'visa', last4: '4242' },
    });
    given(calls.method, [200, methodOf(userId)], [200, method]);
    given(calls.detach, taken);
    await provider.removeMethod(owned);
    given(calls.method, noSuch('payment_method'));
    await provider.removeMethod(owned);
  });
});

describe('a refund', () => {
  const refund = () => provider.refund({ intentId: 'pi_1', amount: 5, refundId: 'r' });

  it.each([
    ['pending', 'pending'],
    ['requires_action', 'pending'],
    ['succeeded', 'succeeded'],
    ['failed', 'failed'],
    ['canceled', 'failed'],
    ['something_new', 'pending'],
  ])('that is %s is %s', async (status, expected) => {
    given(calls.refunds, [200, { object: 'list', data: [], has_more: false }]);
    given(calls.refund, [200, { id: 're_1', object: 'refund', status }]);
    expect(await refund()).toEqual({ id: 're_1', status: expected });
  });

  it('is looked for on every page of those that were made', async () => {
    const page = (id: string, refundId: string, hasMore: boolean): FakeAnswer => [
      200,
      {
        ...{ object: 'list', url: '/v1/refunds', has_more: hasMore },
        data: [{ id, object: 'refund', status: 'succeeded', metadata: { refundId } }],
      },
    ];
    given(calls.refunds, page('re_1', 'other', true), page('re_2', 'r', false));
    expect(await refund()).toEqual({ id: 're_2', status: 'succeeded' });
    expect(asked).toEqual([calls.refunds, calls.refunds]);
  });

  it('is not tried while it is not known whether it was made', async () => {
    given(calls.refunds, [500, { error: { type: 'api_error' } }]);
    await expect(refund()).rejects.toMatchObject({ code: 'dependency-unavailable' });
    expect(asked).toEqual([calls.refunds]);
  });
});

describe('trouble with Stripe', () => {
  it.each<[string, FakeAnswer[]]>([
    ['too many requests', [error(429, { type: 'invalid_request_error', code: 'rate_limit' })]],
    ['a lock', [error(429, { type: 'invalid_request_error', code: 'lock_timeout' })]],
    ['a twin in flight', [error(409, { type: 'idempotency_error' })]],
    ['a defect of Stripe', [error(500, { type: 'api_error', message: 'sorry' })]],
    ['a proxy before Stripe', [[503, '<html>']]],
    ['an answer that is no JSON', [[200, '<html>']]],
  ])('%s: the outcome is unknown', async (_name, said) => {
    given(calls.create, ...said);
    await expect(create()).rejects.toMatchObject({ code: 'dependency-unavailable' });
    expect(asked).toHaveLength(said.length);
  });

  it.each(['silence', 'dripping'] as const)(
    '%s is waited for no longer than said',
    async (said) => {
      given(calls.create, said);
      await expect(create(hasty)).rejects.toMatchObject({ code: 'dependency-unavailable' });
      expect(asked).toEqual([calls.create]);
    },
  );

  // Such a connection may have been dead before it was used: the SDK tries once more on its own.
  it('is over when only one connection was cut: the same key is sent again', async () => {
    given(calls.create, 'reset', [200, { ...intent, status: 'requires_payment_method' }]);
    expect(await create()).toMatchObject({ id: 'pi_1', status: 'open' });
    expect(asked).toEqual([calls.create, calls.create]);
    expect(keys).toEqual(['k', 'k']);
  });

  it('is not when the next one is cut too', async () => {
    given(calls.create, 'reset', 'reset');
    await expect(create()).rejects.toMatchObject({ code: 'dependency-unavailable' });
    expect(asked).toEqual([calls.create, calls.create]);
  });
});

describe('a secret key that Stripe does not accept', () => {
  const message = `Invalid API Key provided: ${secretKey}`;

  it.each([401, 403])('%i: nothing can be paid, and somebody must act', async (status) => {
    given(calls.create, error(status, { type: 'invalid_request_error', message }));
    await expect(create()).rejects.toMatchObject({ code: 'dependency-unavailable' });
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { level: 'error', msg: 'Stripe does not accept STRIPE_SECRET_KEY', statusCode: status },
    ]);
  });

  it.each([400, 401, 402, 403, 429, 500])('is told to nobody: %i', async (status) => {
    given(calls.create, error(status, { type: 'invalid_request_error', message }));
    const thrown = await create().catch((error: unknown) => error as Error);
    expect(thrown).toBeInstanceOf(Error);
    const { message: said, cause, stack } = thrown as Error;
    const told = [said, stack, cause, (cause as Error).stack, JSON.stringify(cause), ...lines];
    expect(told.map(String).join('\n')).not.toContain('51SecretOfATest');
  });
});
