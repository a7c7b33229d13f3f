import fc from 'fast-check';
import type { Operation, Schema } from './api-document.ts';

/** What an id names, as far as its place in a request tells. */
export type IdKind = 'product' | 'sale' | 'order' | 'hold';

/** Stands in a made-up request for an id that the shop has told. */
const knownId = (kind: IdKind) => fc.nat(40).map((nth) => `{{${kind} ${nth}}}`);

/** Puts ids where `knownId` left room for them. */
export function withIds<T>(made: T, idOf: (kind: IdKind, nth: number) => string): T {
  const text = JSON.stringify(made) ?? 'null';
  return JSON.parse(
    text.replace(/\{\{(\w+) (\d+)\}\}/g, (_, kind: IdKind, nth: string) => idOf(kind, Number(nth))),
  ) as T;
}

function kindOf({ pattern = '' }: Schema, name: string): IdKind | undefined {
  if (pattern.includes('{48}')) return 'hold';
  if (!pattern.includes('{24}')) return undefined;
  return name.startsWith('sale') ? 'sale' : 'product';
}

const kindOfPath = (path: string): IdKind => {
  if (/^\/api\/((merchant\/)?orders|payments)/.test(path)) return 'order';
  return path.startsWith('/api/sales') ? 'sale' : 'product';
};

const now = Date.UTC(2026, 0, 1);

function text(schema: Schema, name: string): fc.Arbitrary<unknown> {
  const { pattern, format, minLength = 0, maxLength = 40 } = schema;
  const kind = kindOf(schema, name);
  if (kind) return knownId(kind);
  if (format === 'date-time')
    return fc
      .integer({ min: -2, max: 3 })
      .map((hours) => new Date(Date.now() + hours * 3_600_000).toISOString());
  if (name === 'email') return fc.nat(30).map((nth) => `buyer-${nth}-${now}@example.com`);
  const longest = Math.min(maxLength, 40);
  if (pattern && !pattern.includes('\\P'))
    return fc.stringMatching(new RegExp(pattern)).filter((one) => one.length <= longest);
  return fc
    .string({ minLength: Math.max(minLength, 1), maxLength: Math.max(longest, minLength) })
    .map((one) => one.replaceAll(/[^\x20-\x7e]/g, '-').padEnd(minLength, 'x'))
    .filter((one) => one.trim().length >= minLength);
}

/** Values that fit a schema; numbers mostly small, so that stock and limits are met. */
export function fitting(schema: Schema, name = ''): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => fitting(one, name)));
  const { minimum = 0, maximum = 1_000 } = schema;
  switch (schema.type) {
    case 'string':
      return text(schema, name);
    case 'integer':
      return fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: minimum, max: Math.min(minimum + 5, maximum) }) },
        { weight: 1, arbitrary: fc.constantFrom(minimum, Math.min(maximum, 2_000)) },
      );
    case 'number':
      return fc
        .integer({
          min: Math.ceil(minimum * 100),
          max: Math.min(99_999, (schema.maximum ?? 1e9) * 100),
        })
        .map((cents) => cents / 100);
    case 'boolean':
      return fc.boolean();
    case 'array':
      return mostlyShort(schema.minItems ?? 0, (minLength) =>
        fc.array(fitting(schema.items ?? {}, name), { minLength, maxLength: minLength + 1 }),
      );
    case 'object':
      return fieldsOf(schema);
    default:
      return fc.constant(null);
  }
}

/** Mostly a list of the least length, so that requests of one item are the rule. */
const mostlyShort = (least: number, list: (least: number) => fc.Arbitrary<unknown[]>) =>
  fc.oneof(
    { weight: 4, arbitrary: list(least).map((all) => all.slice(0, Math.max(least, 1))) },
    { weight: 1, arbitrary: list(least) },
  );

/** Fields that may be missing are missing more often than not. */
function fieldsOf(schema: Schema): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], propertyNames, additionalProperties } = schema;
  if (propertyNames && typeof additionalProperties === 'object')
    return fc.dictionary(
      fitting(propertyNames, 'saleId') as fc.Arbitrary<string>,
      fitting(additionalProperties),
      { maxKeys: 1 },
    );
  const arbitraries = Object.entries(properties).map(([name, one]) => [
    name,
    required.includes(name)
      ? fitting(one, name)
      : fc.oneof(
          { weight: 3, arbitrary: fc.constant(undefined) },
          { weight: 1, arbitrary: fitting(one, name) },
        ),
  ]);
  return fc.record(Object.fromEntries(arbitraries) as Record<string, fc.Arbitrary<unknown>>);
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
  /** A place in the list of callers; `isSuited`: of those whom the call is for. */
  caller: number;
  isSuited: boolean;
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
      queries.map(({ name, schema }) => [
        name,
        fc.oneof(
          { weight: 12, arbitrary: fc.constant(undefined) },
          { weight: 3, arbitrary: fitting(schema, name) },
          { weight: 1, arbitrary: hostile },
        ),
      ]),
    ),
  );
  return fc.record({
    operation: fc.constant(operation),
    caller: fc.nat(11),
    isSuited: fc.nat(3).map((one) => one > 0),
    pathId: fc.oneof(
      { weight: 12, arbitrary: knownId(kindOfPath(operation.path)) },
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
