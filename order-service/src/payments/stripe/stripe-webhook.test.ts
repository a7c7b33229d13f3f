import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { createLogger } from '@quicksale/shared/log';
import type { ProviderEvent } from '../payment-provider.ts';
import { createStripeProvider } from './stripe-provider.ts';

const secret = 'whsec_of_a_test';
const provider = createStripeProvider({
  secretKey: 'sk_test_x',
  webhookSecret: secret,
  apiUrl: 'http://127.0.0.1:1',
  log: createLogger({ service: 'test', level: 'silent' }),
});

const event = (type: string, object: unknown) =>
  JSON.stringify({ id: 'evt_1', object: 'event', type, data: { object } }, null, 2);
const intentBody = event('payment_intent.succeeded', {
  ...{ id: 'pi_1', object: 'payment_intent', metadata: { paymentId: 'p-1', note: 'Zürich' } },
});
const nowSeconds = () => Math.floor(Date.now() / 1000);

/** Signs by Stripe's rule, without the SDK. */
function sign(body: string | Buffer, { key = secret, at = nowSeconds() } = {}): string {
  const digest = createHmac('sha256', key).update(`${at}.`).update(body).digest('hex');
  return `t=${at},v1=${digest}`;
}
const read = (body: string | Buffer, signature: string | undefined): ProviderEvent =>
  provider.readEvent(Buffer.from(body), (name) =>
    name.toLowerCase() === 'stripe-signature' ? signature : undefined,
  );
const codeOf = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

describe('a webhook of Stripe', () => {
  it('is believed when it is signed', () => {
    const heard = { id: 'evt_1', type: 'intent', intentId: 'pi_1', paymentId: 'p-1' };
    expect(read(intentBody, sign(intentBody))).toEqual(heard);
    // Four minutes on its way, and during a change of secrets signed with both.
    const late = sign(intentBody, { at: nowSeconds() - 240 });
    expect(read(intentBody, late)).toEqual(heard);
    const other = sign(intentBody, { key: 'whsec_old' }).split(',')[1];
    expect(read(intentBody, `${late},${other}`)).toEqual(heard);
  });

  const signature = sign(intentBody);
  const digest = signature.split('v1=')[1] ?? '';
  it.each([
    ['a signature of another secret', sign(intentBody, { key: 'whsec_of_another' })],
    ['a timestamp six minutes old', sign(intentBody, { at: nowSeconds() - 360 })],
    ['no signature header', undefined],
    ['an empty one', ''],
    ['one that is none', 'x'],
    ['a timestamp only', `t=${nowSeconds()}`],
    ['an empty signature', `t=${nowSeconds()},v1=`],
    ['a signature for another time', `t=${nowSeconds() - 1},v1=${digest}`],
    ['a signature cut short', signature.slice(0, -1)],
    ['a signature of another scheme', signature.replace('v1=', 'v0=')],
    ['the secret itself', `t=${nowSeconds()},v1=${secret}`],
  ])('is refused with %s', (_name, header) => {
    expect(codeOf(() => read(intentBody, header))).toBe('webhook-signature-invalid');
  });

  it('is refused with any one byte of it changed', () => {
    const bytes = Buffer.from(intentBody);
    for (const index of bytes.keys()) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(index) ^ 1, index);
      expect(codeOf(() => read(changed, signature))).toBe('webhook-signature-invalid');
    }
    const withoutSpaces = JSON.stringify(JSON.parse(intentBody));
    for (const changed of ['', `${intentBody}\n`, intentBody.slice(0, -1), withoutSpaces])
      expect(codeOf(() => read(changed, signature))).toBe('webhook-signature-invalid');
  });

  it('says nothing of the secret when it is refused', () => {
    try {
      read(intentBody, sign(intentBody, { key: 'x' }));
    } catch (error) {
      const { message, cause } = error as Error;
      expect(`${message} ${String(cause)}`).not.toContain(secret);
    }
    expect.assertions(1);
  });

  it.each(['null', '[]', '{}', '"text"', 'no json', event('x', null), '{"id":7,"type":"x"}'])(
    'that is signed and no event, %s, is refused as that',
    (body) => {
      expect(['validation-failed', 'webhook-signature-invalid']).toContain(
        codeOf(() => read(body, sign(body))),
      );
    },
  );

  it.each<[string, unknown, Partial<ProviderEvent>]>([
    ['payment_intent.payment_failed', { id: 'pi_2' }, { type: 'intent', intentId: 'pi_2' }],
    ['payment_intent.canceled', { id: 'pi_3' }, { type: 'intent', intentId: 'pi_3' }],
    [
      'refund.updated',
      { id: 're_1', payment_intent: 'pi_4' },
      { type: 'refund', intentId: 'pi_4' },
    ],
    ['refund.failed', { payment_intent: { id: 'pi_5' } }, { type: 'refund', intentId: 'pi_5' }],
    ['charge.refund.updated', { payment_intent: 'pi_6' }, { type: 'refund', intentId: 'pi_6' }],
    // Of a charge that no intent of ours made.
    ['refund.created', { id: 're_2', payment_intent: null }, { type: 'other' }],
    ['charge.succeeded', { id: 'ch_1', payment_intent: 'pi_7' }, { type: 'other' }],
    ['customer.created', { id: 'cus_1' }, { type: 'other' }],
    ['setup_intent.succeeded', { id: 'seti_1' }, { type: 'other' }],
  ])('%s', (type, object, heard) => {
    const body = event(type, object);
    expect(read(body, sign(body))).toEqual({ id: 'evt_1', ...heard });
  });
});

describe('the settings', () => {
  const log = createLogger({ service: 'test', level: 'silent' });
  const good = { secretKey: 'sk_test_x', webhookSecret: 'w', apiUrl: 'https://api.stripe.com' };
  const withSettings = (settings: Partial<typeof good>) => () =>
    createStripeProvider({ ...good, ...settings, log });

  it('are enough with both secrets', () => {
    expect(withSettings({})().name).toBe('stripe');
    expect(withSettings({ apiUrl: 'http://127.0.0.1:12111' })().name).toBe('stripe');
  });

  it('are told all together what they lack', () => {
    const none = () =>
      createStripeProvider({ ...good, secretKey: undefined, webhookSecret: '', log });
    expect(none).toThrow(/STRIPE_SECRET_KEY is not set.*\n.*STRIPE_WEBHOOK_SECRET is not set/);
  });

  it.each(['api.stripe.com', 'ftp://x', 'https://x/v1', ''])('refuse the address %j', (apiUrl) => {
    expect(withSettings({ apiUrl })).toThrow('STRIPE_API_URL');
  });

  it('send no live key in the clear', () => {
    const live = { secretKey: 'sk_live_x' };
    expect(withSettings({ ...live, apiUrl: 'http://10.0.0.1' })).toThrow('must be https');
    expect(withSettings(live)().name).toBe('stripe');
  });
});
