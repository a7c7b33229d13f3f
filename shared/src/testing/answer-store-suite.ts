import { expect, it } from '@jest/globals';
import type { AnswerStore, KeyClaim, StoredAnswer } from '../idempotency/answer-store.ts';
import { newId } from './orders.ts';

/** What every answer store has to do; run against the one in memory and the one in MongoDB. */
export function answerStoreSuite(store: () => AnswerStore): void {
  const now = new Date();
  const later = (ms: number) => new Date(now.getTime() + ms);
  const claim = (fields: Partial<KeyClaim> = {}): KeyClaim => ({
    digest: newId(),
    fingerprint: 'body',
    attempt: newId(),
    ...fields,
  });
  const again = (first: KeyClaim, fields: Partial<KeyClaim> = {}) =>
    claim({ digest: first.digest, ...fields });
  const begin = (one: KeyClaim, at = now) =>
    store().begin(one, { now: at, leaseEndsAt: new Date(at.getTime() + 1_000) });
  const answer: StoredAnswer = {
    status: 409,
    contentType: 'application/problem+json',
    headers: { ETag: '"3"' },
    body: '{"detail":"zu spät ☃"}',
  };

  it('gives a key to one of many twins', async () => {
    const first = claim();
    const begun = await Promise.all(Array.from({ length: 8 }, () => begin(again(first))));
    const kinds = begun.map(({ kind }) => kind).sort();
    expect(kinds).toEqual(['begun', ...Array.from({ length: 7 }, () => 'in-progress')]);
  });

  it('keeps the answer as it is, whoever asks', async () => {
    const first = claim();
    await begin(first);
    expect(await store().finish(first, answer, later(3_600_000))).toBe(true);
    const found = { kind: 'finished', fingerprint: 'body', answer };
    expect(await begin(again(first))).toEqual(found);
    expect(await begin(again(first, { fingerprint: 'other' }), later(5_000))).toEqual(found);
  });

  it('frees a key that was given up', async () => {
    const first = claim();
    await begin(first);
    await store().giveUp(first);
    expect(await begin(again(first, { fingerprint: 'other' }))).toEqual({ kind: 'begun' });
  });

  it('gives it to one other when the lease has ended, for the same request', async () => {
    const first = claim();
    await begin(first);
    const inProgress = { kind: 'in-progress', fingerprint: 'body' };
    expect(await begin(again(first), later(999))).toEqual(inProgress);
    const other = again(first, { fingerprint: 'other' });
    expect(await begin(other, later(1_000))).toEqual(inProgress);
    const begun = await Promise.all(
      Array.from({ length: 8 }, () => begin(again(first), later(1_000))),
    );
    expect(begun.filter(({ kind }) => kind === 'begun')).toHaveLength(1);
  });

  it('heeds no attempt that has lost its key', async () => {
    const [first, second] = [claim(), claim()];
    await begin(first);
    const successor = { ...second, digest: first.digest };
    await begin(successor, later(2_000));
    expect(await store().finish(first, answer, later(3_600_000))).toBe(false);
    await store().giveUp(first);
    expect(await begin(again(first), later(2_001))).toMatchObject({ kind: 'in-progress' });
    expect(await store().finish(successor, answer, later(3_600_000))).toBe(true);
    await store().giveUp(successor);
    expect(await begin(again(first))).toMatchObject({ kind: 'finished' });
  });
}
