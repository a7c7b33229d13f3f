import { describe, expect, it } from '@jest/globals';
import { cleanHeaders } from './clean-headers.ts';

const clean = (headers: Record<string, string>) => {
  const copy = { ...headers };
  cleanHeaders(copy, { clientAddress: '203.0.113.7', requestId: 'r1' });
  return copy;
};
const always = { 'x-forwarded-for': '203.0.113.7', 'x-request-id': 'r1' };

describe('headers for a service', () => {
  it.each([
    'x-user-id',
    'x-user-role',
    'X-User-Id',
    'x_user_id',
    'X_Internal_Key',
    'x-internal-key',
    'x-internal-anything',
    'x-user',
    'x-real-ip',
    'forwarded',
    'x-forwarded-host',
    'expect',
    'te',
  ])('have no %s from outside', (name) => {
    expect(clean({ [name]: 'forged' })).toEqual(always);
  });

  it('tell the address and the request id as the gateway knows them', () => {
    expect(clean({ 'x-forwarded-for': '1.1.1.1, 2.2.2.2', 'x-request-id': 'bad id' })).toEqual(
      always,
    );
  });

  it('keep what a client wanted dropped on the way', () => {
    const headers = { authorization: 'Bearer t', 'idempotency-key': 'k' };
    const connection = 'close, authorization, idempotency-key, x-request-id';
    expect(clean({ ...headers, connection })).toEqual({ ...headers, ...always });
  });

  it('keep ordinary headers and a clean traceparent', () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const headers = { accept: '*/*', 'if-match': '"1"', 'x-username': 'u', traceparent };
    expect(clean(headers)).toEqual({ ...headers, ...always });
    expect(clean({ traceparent: 'x' })).toEqual(always);
  });
});
