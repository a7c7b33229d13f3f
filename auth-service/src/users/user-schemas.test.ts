import { describe, expect, it } from '@jest/globals';
import { emailSchema, newAccountSchema } from './user-schemas.ts';

const account = {
  email: 'ann@example.com',
  password: 'correct horse',
  firstName: 'Ann',
  lastName: "O'Neil-Łęcka",
};
const accepts = (changes: object) => newAccountSchema.safeParse({ ...account, ...changes }).success;

describe('a new account', () => {
  it('is accepted', () => {
    expect(accepts({})).toBe(true);
    expect(accepts({ password: 'x'.repeat(128) })).toBe(true);
  });

  it.each([
    { email: 'ann' },
    { email: `${'a'.repeat(250)}@example.com` },
    { email: { $gt: '' } },
    { password: 'x'.repeat(7) },
    { password: 'x'.repeat(129) },
    { firstName: '  ' },
    { firstName: 'Ann\r\nBcc: x' },
    { lastName: 'x'.repeat(101) },
    { role: 'ADMIN' },
    { isAdmin: true },
  ])('with %j is refused', (changes) => {
    expect(accepts(changes)).toBe(false);
  });

  it.each(['a'.repeat(100_000), `${'a.'.repeat(50_000)}@`, `a@${'a-'.repeat(50_000)}`])(
    'judges a long address in a moment',
    (email) => {
      const started = performance.now();
      expect(emailSchema.safeParse(email).success).toBe(false);
      // A pattern that backtracks takes minutes for it, a busy machine some milliseconds.
      expect(performance.now() - started).toBeLessThan(1_000);
    },
  );
});
