import { parseOptions } from '@node-rs/argon2';
import { describe, expect, it } from '@jest/globals';
import { argon2Settings, createPasswordHasher, nobodysHash } from './password-hasher.ts';

describe('passwords', () => {
  it('are hashed with argon2id, salted, and recognised', async () => {
    const hasher = createPasswordHasher();
    const [first, second] = [
      await hasher.hash('correct horse'),
      await hasher.hash('correct horse'),
    ];
    expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(first).not.toBe(second);
    expect(await hasher.matches(first, 'correct horse')).toBe(true);
    expect(await hasher.matches(first, 'wrong horse')).toBe(false);
  });

  it('count beyond the 72 bytes at which bcrypt stops', async () => {
    const hasher = createPasswordHasher();
    const stored = await hasher.hash(`${'x'.repeat(100)}a`);
    expect(await hasher.matches(stored, `${'x'.repeat(100)}b`)).toBe(false);
  });

  it('of nobody cost what those of accounts cost, and match nothing', async () => {
    expect(parseOptions(nobodysHash)).toMatchObject({ algorithm: 2, ...argon2Settings });
    expect(await createPasswordHasher().matches(nobodysHash, '')).toBe(false);
  });

  it('are two at a time, 64 may wait, and all others are refused at once', async () => {
    let entered = 0;
    let finish = (_hash: string) => undefined as void;
    const held = new Promise<string>((resolve) => (finish = resolve));
    const enter = () => ((entered += 1), held);
    const hasher = createPasswordHasher({ argon2: { hash: enter, verify: async () => false } });
    let refused = 0;
    const all = Array.from({ length: 200 }, () =>
      hasher.hash('x').catch((error: unknown) => {
        refused += 1;
        expect(error).toMatchObject({ code: 'overloaded' });
      }),
    );
    // No timer has run: nobody was refused for having waited too long.
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    expect([entered, refused]).toEqual([2, 200 - 66]);
    finish('a hash');
    await Promise.all(all);
    expect([entered, refused]).toEqual([66, 200 - 66]);
  });

  it('are refused when too many are in work', async () => {
    const hasher = createPasswordHasher({
      limits: { concurrent: 1, waiting: 1, waitLimitMs: 2_000 },
    });
    const results = await Promise.allSettled(['a', 'b', 'c'].map((one) => hasher.hash(one)));
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect(results[2]).toMatchObject({ reason: { code: 'overloaded' } });
  });
});
