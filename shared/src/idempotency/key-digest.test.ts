import { describe, expect, it } from '@jest/globals';
import { idempotencyDigest, requestFingerprint } from './key-digest.ts';

describe('the digest of a key', () => {
  const scope = { userId: 'a', route: 'POST /api/orders', key: 'k' };

  it('differs by user, route and key', () => {
    const digests = [
      scope,
      { ...scope, userId: 'b' },
      { ...scope, route: 'POST /api/payments/intent' },
      { ...scope, key: 'K' },
    ].map(idempotencyDigest);
    expect(new Set(digests).size).toBe(4);
    expect(digests[0]).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('the fingerprint of a body', () => {
  it('does not depend on the order of members', () => {
    expect(requestFingerprint({ a: 1, b: [{ c: 2, d: 3 }] })).toBe(
      requestFingerprint({ b: [{ d: 3, c: 2 }], a: 1 }),
    );
  });

  it('depends on values and on the order of lists', () => {
    expect(requestFingerprint({ a: [1, 2] })).not.toBe(requestFingerprint({ a: [2, 1] }));
    expect(requestFingerprint({ a: '1' })).not.toBe(requestFingerprint({ a: 1 }));
  });

  it('takes an absent member for what it is', () => {
    expect(requestFingerprint({ a: 1, b: undefined })).toBe(requestFingerprint({ a: 1 }));
  });
});
