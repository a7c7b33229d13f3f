import { describe, expect, it } from '@jest/globals';
import { findDestination } from './routing-table.ts';

const id = '65a000000000000000000001';

describe('the routing table', () => {
  it.each([
    ['POST', '/api/auth/login', 'auth', false],
    ['GET', '/api/users/me', 'auth', true],
    ['POST', '/api/users/me/addresses', 'auth', true],
    ['GET', '/.well-known/jwks.json', 'auth', false],
    ['GET', '/api/admin/users', 'auth', true],
    ['GET', '/api/inventory/products?search=a%20b', 'inventory', false],
    ['POST', '/api/inventory/products', 'inventory', true],
    ['PUT', `/api/inventory/products/${id}/stock`, 'inventory', true],
    ['POST', '/api/inventory/reserve', 'inventory', true],
    ['GET', `/api/sales/${id}`, 'inventory', false],
    ['POST', `/api/sales/${id}/pause`, 'inventory', true],
    ['POST', '/api/orders', 'order', true],
    ['GET', `/api/orders/${id}`, 'order', true],
    ['GET', `/api/orders/${id}/events`, 'streams', true],
    ['GET', '/api/merchant/orders.csv', 'order', true],
    ['POST', '/api/cart/checkout', 'order', true],
    ['POST', '/api/payments/webhook/stripe', 'order', false],
    ['POST', '/api/payments/intent', 'order', true],
    ['GET', '/api/notifications/preferences', 'notifier', true],
    ['POST', '/api/ws-tickets', 'notifier', true],
    ['GET', `/api/webhooks/${id}`, 'notifier', true],
  ])('%s %s goes to %s', (method, target, upstream, needsToken) => {
    expect(findDestination(method, target)).toMatchObject({ upstream, needsToken });
  });

  it.each([
    '',
    '*',
    '/docs/x',
    '/assets',
    '/assets/a/b',
    '/assets/..',
    '/api',
    '/internal',
    '/internal/admins',
    '/api/internal/admins',
    '/metrics',
    '/ws',
    '/api/orders/',
    '//api/orders',
    '/api//orders',
    '/api/orders//',
    '/API/orders',
    '/api/auth/REGISTER',
    '/api/orders/../../internal/admins',
    '/api/./orders',
    '/api/orders/%2e%2e/%2e%2e/internal/admins',
    '/api/orders%2f..%2f..%2finternal',
    '/api%2forders',
    '/api/orders;x=1',
    '/api/orders\\..\\internal',
    '/api/orders%00',
    '/api/orders#x',
    '/api/ordersx',
    '/api/users',
    '/api/users/you',
    '/.well-known/jwks.json/x',
    '/.well-known/other',
    'http://127.0.0.1:9001/internal/admins',
    'http://127.0.0.1/api/orders',
    '127.0.0.1:443',
  ])('%j is nowhere', (target) => {
    expect(findDestination('GET', target)).toBeUndefined();
  });

  it('judges 100 kB in a moment', () => {
    const started = performance.now();
    expect(findDestination('GET', `/api/orders${'/a.'.repeat(33_000)}%`)).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(50);
  });
});
