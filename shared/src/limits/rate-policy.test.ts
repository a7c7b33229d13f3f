import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../config/index.ts';
import { addressKey, rateLimitField, rateLimitHeaders } from './index.ts';

const read = (value?: string) =>
  loadConfig({ limit: rateLimitField('RATE_LIMIT_X', '5/60', 'x') }, { RATE_LIMIT_X: value }).limit;

describe('a limit in the configuration', () => {
  it('is points/seconds with a default', () => {
    expect(read()).toEqual({ points: 5, windowSeconds: 60 });
    expect(read('50/1')).toEqual({ points: 50, windowSeconds: 1 });
  });

  it.each(['5', '5/0', '0/5', '-1/5', '5/60s', '5/60/1', '1e3/5', ' 5/60'])(
    'refuses %j',
    (value) => {
      expect(() => read(value)).toThrow('RATE_LIMIT_X: must be points/seconds');
    },
  );
});

describe('header fields', () => {
  it('are spelled as in draft 11', () => {
    const decision = { allowed: true, remaining: 9, resetSeconds: 60 };
    expect(rateLimitHeaders({ name: 'orders', points: 10, windowSeconds: 60 }, decision)).toEqual({
      'RateLimit-Policy': '"orders";q=10;w=60',
      RateLimit: '"orders";r=9;t=60',
    });
  });
});

describe('the key of an address', () => {
  it.each([
    ['203.0.113.7', 'ip:203.0.113.7'],
    ['::ffff:203.0.113.7', 'ip:203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', 'ip:2001:db8:1:2::/64'],
    ['2001:DB8:1:2:ffff::1', 'ip:2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::', 'ip:2001:db8:1:2::/64'],
    ['2001:db8::1', 'ip:2001:db8:0:0::/64'],
    ['::1', 'ip:0:0:0:0::/64'],
    ['fe80::1%eth0', 'ip:fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', 'ip:64:ff9b:0:0::/64'],
    ['', 'ip:'],
  ])('%s is %s', (ip, key) => {
    expect(addressKey(ip)).toBe(key);
  });
});
