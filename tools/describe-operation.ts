import { z } from 'zod';
import { errorRegistry, type ErrorCode } from '@quicksale/shared/errors';
import type { Route } from '@quicksale/shared/http';

export type Json = { [name: string]: unknown };
type Spec = Route['spec'];

/** Schemas that have a name, by their name. */
export type Components = Map<string, Json>;

const problem = {
  'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
};

/** One operation of the OpenAPI document; schemas that have a name go into `components`. */
export function describeOperation(spec: Spec, tag: string, components: Components): Json {
  const parameters = [
    ...described(spec.params, 'path', components),
    ...described(spec.query, 'query', components),
    ...headersOf(spec),
  ];
  return {
    operationId: spec.operationId,
    summary: spec.summary,
    tags: [tag],
    ...(Array.isArray(spec.access) && { description: `For ${spec.access.join(' and ')} only.` }),
    ...(spec.access !== 'public' && { security: [{ accessToken: [] }] }),
    ...(parameters.length > 0 && { parameters }),
    ...(spec.body && {
      requestBody: {
        required: !spec.body.safeParse(undefined).success,
        content: { 'application/json': { schema: schemaOf(spec.body, 'input', components) } },
      },
    }),
    // Whose bytes are signed is whose contract it is: the provider's, not one of this API.
    ...(spec.rawBody && { requestBody: { required: true, content: { 'application/json': {} } } }),
    responses: responsesOf(spec, components),
  };
}

/** What a `z` schema accepts (`input`) or what an answer holds (`output`), as JSON Schema. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', components: Components): Json {
  const {
    $schema: _,
    $defs,
    ...rest
  } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // The format says it; the pattern is a page long.
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
      // Answers may get more fields: clients are not to refuse what they do not know.
      if (io === 'output') delete jsonSchema.additionalProperties;
    },
  }) as Json & { $defs?: Record<string, Json> };
  for (const [name, definition] of Object.entries($defs ?? {}))
    components.set(name, pointedAtComponents(definition));
  const { id, ...whole } = rest;
  if (typeof id !== 'string') return pointedAtComponents(rest);
  components.set(id, pointedAtComponents(whole));
  return { $ref: `#/components/schemas/${id}` };
}

function pointedAtComponents(schema: Json): Json {
  const { id: _, ...rest } = schema;
  return JSON.parse(JSON.stringify(rest).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json;
}

function described(schema: z.ZodType | undefined, where: 'path' | 'query', components: Components) {
  if (!schema) return [];
  const { properties = {}, required = [] } = schemaOf(schema, 'input', components) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    ...((where === 'path' || required.includes(name)) && { required: true }),
    // The gateway passes paths in lower case only.
    schema: where === 'path' ? inLowerCase(property) : property,
  }));
}

const inLowerCase = (schema: Json): Json => ({
  ...schema,
  ...(typeof schema.pattern === 'string' && { pattern: schema.pattern.replace('a-fA-F', 'a-f') }),
});

/** Headers that a route heeds, as far as its contract tells. */
function headersOf({ idempotent, errors = [], replies }: Spec): Json[] {
  const header = (name: string, required: boolean, description: string, schema: Json) => ({
    ...{ name, in: 'header', required, description, schema },
  });
  const text = { type: 'string' };
  return [
    ...(idempotent
      ? [
          header(
            'Idempotency-Key',
            idempotent !== 'optional',
            'Names this request: sent again with the same body it has no second effect.',
            { type: 'string', minLength: 1, maxLength: 255, pattern: '^[ -~]+$' },
          ),
        ]
      : []),
    ...(errors.includes('version-conflict')
      ? [
          header(
            'If-Match',
            errors.includes('precondition-required'),
            'The ETag of the answer that you have read.',
            text,
          ),
        ]
      : []),
    ...('304' in replies
      ? [header('If-None-Match', false, 'The ETag of an earlier answer.', text)]
      : []),
  ];
}

function responsesOf(spec: Spec, components: Components): Json {
  const answers = Object.entries(spec.replies).map(([status, schema]) => [
    status,
    {
      description: statusTexts[status] ?? 'Done',
      ...headersOfAnswer(spec),
      ...(schema && {
        content: { [mediaTypeOf(schema)]: { schema: schemaOf(schema, 'output', components) } },
      }),
    },
  ]);
  const refusals = Map.groupBy(refusalsOf(spec), (code) => errorRegistry[code].status);
  const problems = [...refusals].map(([status, codes]) => [
    String(status),
    { description: codes.map((code) => `\`${code}\``).join(', '), content: problem },
  ]);
  return {
    ...(Object.fromEntries([...answers, ...problems]) as Json),
    default: {
      description:
        'Any other problem: a rate limit (429), a part that is away (503), a defect (500)',
      content: problem,
    },
  };
}

/** JSON, unless the schema says of its text what that is. */
const mediaTypeOf = (schema: z.ZodType): string => {
  const { contentMediaType = 'application/json' } = schema.meta() ?? {};
  return String(contentMediaType);
};

function headersOfAnswer({ idempotent, replies, errors = [] }: Spec): Json {
  const names = {
    ETag: '304' in replies || errors.includes('version-conflict'),
    'Idempotent-Replayed': Boolean(idempotent),
  };
  const headers = Object.entries(names)
    .filter(([, isThere]) => isThere)
    .map(([name]) => [name, { schema: { type: 'string' } }]);
  return headers.length > 0 ? { headers: Object.fromEntries(headers) } : {};
}

const statusTexts: Readonly<Record<string, string>> = {
  200: 'Done',
  201: 'Made',
  204: 'Done, nothing to say',
  304: 'Not changed since the answer with that ETag',
};

/** Codes of a route: its own, and those that follow from what its contract asks for. */
export function refusalsOf(spec: Spec): ErrorCode[] {
  const codes: ErrorCode[] = [];
  if (spec.params ?? spec.query ?? spec.body) codes.push('validation-failed');
  if (spec.body) codes.push('malformed-json');
  if (spec.body ?? spec.rawBody) codes.push('payload-too-large', 'unsupported-media-type');
  if (spec.idempotent) codes.push('idempotency-key-invalid');
  if (spec.idempotent && spec.idempotent !== 'optional') codes.push('idempotency-key-required');
  if (spec.access !== 'public') codes.push('unauthenticated', 'token-expired');
  if (Array.isArray(spec.access)) codes.push('forbidden');
  const own = (spec.errors ?? []).filter((code) => errorRegistry[code].status !== 503);
  return [...new Set([...codes, ...own])];
}
