import fc from 'fast-check';
import type { Operation, Schema } from './api-document.ts';

/** Stands in a made-up request for an id that the shop has told, or that it never will. */
export const knownId = (nth: number) => `{{id ${nth}}}`;

/** Puts ids where `knownId` left room for them. */
export function withIds<T>(made: T, idOf: (nth: number) => string): T {
  const text = JSON.stringify(made, (_key, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? null : value,
  );
  return JSON.parse(text.replace(/\{\{id (\d+)\}\}/g, (_, nth: string) => idOf(Number(nth)))) as T;
}

const isIdPattern = (pattern: string) => /\{(24|48)\}/.test(pattern);
const now = Date.UTC(2026, 0, 1);

function text(schema: Schema): fc.Arbitrary<unknown> {
  const { pattern, format, minLength = 0, maxLength = 40 } = schema;
  if (pattern && isIdPattern(pattern)) return fc.nat(40).map(knownId);
  if (format === 'date-time')
    return fc
      .integer({ min: -2, max: 3 })
      .map((hours) => new Date(Date.now() + hours * 3_600_000).toISOString());
  if (format === 'email') return fc.nat(30).map((nth) => `buyer-${nth}-${now}@example.com`);
  const longest = Math.min(maxLength, 40);
  if (pattern && !pattern.includes('\\P'))
    return fc.stringMatching(new RegExp(pattern)).filter((one) => one.length <= longest);
  return fc
    .string({ minLength: Math.max(minLength, 1), maxLength: Math.max(longest, minLength) })
    .map((one) => one.replaceAll(/[^\x20-\x7e]/g, '-').padEnd(minLength, 'x'))
    .filter((one) => one.trim().length >= minLength);
}

/** Values that fit a schema; numbers mostly small, so that stock and limits are met. */
export function fitting(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(fitting));
  const { minimum = 0, maximum = 1_000 } = schema;
  switch (schema.type) {
    case 'string':
      return text(schema);
    case 'integer':
      return fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: minimum, max: Math.min(minimum + 5, maximum) }) },
        { weight: 1, arbitrary: fc.constantFrom(minimum, Math.min(maximum, 2_000)) },
      );
    case 'number':
      return fc.integer({ min: Math.ceil(minimum * 100), max: 99_999 }).map((cents) => cents / 100);
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(fitting(schema.items ?? {}), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 3, 3),
      });
    case 'object':
      return fc.record(
        Object.fromEntries(
          Object.entries(schema.properties ?? {}).map(([name, one]) => [name, fitting(one)]),
        ),
        { requiredKeys: schema.required ?? [] },
      );
    default:
      return fc.constant(null);
  }
}

/** What people and programs send by mistake or on purpose. */
const hostile = fc.constantFrom<unknown>(
  ...[null, true, -1, 0, 1.5, 1e21, 2 ** 53 + 1, '', '1', 'x'.repeat(5_000), [], [1], {}],
  ...[{ $gt: '' }, { $ne: null }, { $where: 'sleep(1000)' }, '{1}:*', "'; DROP TABLE x; --"],
  ...['\u0000', '\r\nX-Evil: 1', '../../etc/passwd', '\ud800', '𝕏', JSON.parse('{"__proto__":{}}')],
);

type Change = (body: unknown) => unknown;
const asRecord = (body: unknown) =>
  typeof body === 'object' && body !== null ? { ...body } : { value: body };

/** Ways to spoil a body that was good. */
const spoiling: fc.Arbitrary<Change> = fc.oneof(
  hostile.map(
    (value): Change =>
      () =>
        value,
  ),
  fc.tuple(fc.nat(9), hostile).map(([nth, value]): Change => (body) => {
    const record = asRecord(body) as Record<string, unknown>;
    const names = Object.keys(record);
    return { ...record, [names[nth % Math.max(names.length, 1)] ?? 'x']: value };
  }),
  fc.nat(9).map((nth): Change => (body) => {
    const entries = Object.entries(asRecord(body));
    return Object.fromEntries(entries.filter((_, index) => index !== nth % entries.length));
  }),
  fc
    .tuple(fc.constantFrom('role', 'price', 'status', 'userId', 'units', 'expiresAt'), hostile)
    .map(([name, value]): Change => (body) => ({ ...asRecord(body), [name]: value })),
);

export interface MadeRequest {
  operation: Operation;
  /** Which caller, which ids, which key: places in lists that grow while requests are answered. */
  caller: number;
  pathId: string;
  query: Record<string, unknown>;
  key: string | undefined;
  ifMatch: number | undefined;
  body: unknown;
}

/** Requests of one call: two of three fit its contract. */
export function requestsOf(operation: Operation): fc.Arbitrary<MadeRequest> {
  const good = operation.body ? fitting(operation.body) : fc.constant(undefined);
  const spoilt = fc.tuple(good, spoiling).map(([body, change]) => change(body));
  const queries = operation.parameters.filter((one) => one.in === 'query');
  const query = fc.record(
    Object.fromEntries(
      queries.map(({ name, schema }) => [name, fc.oneof(fitting(schema), hostile)]),
    ),
    { requiredKeys: [] },
  );
  return fc.record({
    operation: fc.constant(operation),
    caller: fc.nat(11),
    pathId: fc.oneof(
      { weight: 8, arbitrary: fc.nat(40).map(knownId) },
      { weight: 1, arbitrary: fc.constantFrom('x', '%00', '..', '{1}', '$ne', 'f'.repeat(24)) },
    ),
    query,
    key: fc.option(
      fc.oneof(
        { weight: 8, arbitrary: fc.nat(60).map((nth) => `key-${nth}`) },
        { weight: 1, arbitrary: fc.constantFrom('', '"', 'k'.repeat(256), '"quoted"', '}{') },
      ),
      { nil: undefined, freq: 8 },
    ),
    ifMatch: fc.option(fc.nat(40), { nil: undefined }),
    body: operation.body
      ? fc.oneof({ weight: 2, arbitrary: good }, { weight: 1, arbitrary: spoilt })
      : good,
  });
}

/** A body that fits. */
export const exampleBody = (operation: Operation): unknown =>
  operation.body && fc.sample(fitting(operation.body), { numRuns: 1, seed: 1 })[0];
