import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { default as addFormats } from 'ajv-formats';
import type { System } from './system.ts';

/** As much of JSON Schema as the API docs use. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  pattern?: string;
  format?: string;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  minimum?: number;
  maximum?: number;
  /** Of an object whose names are free. */
  propertyNames?: Schema;
  additionalProperties?: Schema | boolean;
}

export interface Operation {
  operationId: string;
  method: string;
  /** With `{id}` where an id belongs. */
  path: string;
  parameters: { name: string; in: string; required: boolean; schema: Schema }[];
  body?: Schema;
  isBodyRequired: boolean;
  needsToken: boolean;
  /** Empty: whoever is signed in. */
  roles: string[];
  /** What is wrong with an answer, by the docs; undefined when nothing is. */
  judge(status: number, contentType: string, body: unknown): string | undefined;
}

interface Media {
  content?: Record<string, { schema: Schema }>;
}

interface Document {
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, Schema> };
}

interface Described {
  operationId: string;
  description?: string;
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[];
  requestBody?: Media & { required: boolean };
  security?: unknown[];
  responses: Record<string, Media>;
}

/** The operations of the API docs that the gateway publishes. */
export async function readApiDocument(system: System): Promise<Operation[]> {
  const answer = await system.api.call('/openapi.json');
  const document = answer.body as unknown as Document;
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'api');
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) =>
      operationOf(ajv, document, { path, method, described }),
    ),
  );
}

/** A schema with everything in it that it names. */
function whole(schema: Schema, document: Document): Schema {
  const text = JSON.stringify(schema, (_, value: Schema) => {
    const name = value?.$ref?.split('/').at(-1);
    return name ? document.components.schemas[name] : value;
  });
  return JSON.parse(text) as Schema;
}

function operationOf(
  ajv: Ajv2020,
  document: Document,
  { path, method, described }: { path: string; method: string; described: Described },
): Operation {
  const { operationId, requestBody, responses, parameters = [] } = described;
  const named = requestBody?.content?.['application/json']?.schema;
  const body = named && whole(named, document);
  const pointer = (...parts: string[]) =>
    `api#/${parts.map((part) => encodeURIComponent(part.replaceAll('/', '~1'))).join('/')}`;
  const validators = new Map<string, ValidateFunction>();
  const validatorOf = (status: string, type: string) => {
    const at = pointer('paths', path, method, 'responses', status, 'content', type, 'schema');
    const known = validators.get(at) ?? ajv.compile({ $ref: at });
    validators.set(at, known);
    return known;
  };
  return {
    ...{ operationId, method, path },
    parameters: parameters.map((one) => ({ ...one, required: one.required ?? false })),
    ...(body && { body }),
    isBodyRequired: requestBody?.required ?? false,
    needsToken: described.security !== undefined,
    roles: [...(described.description ?? '').matchAll(/[A-Z]{5,}/g)].map(([role]) => role),
    judge: (status, contentType, answered) => {
      const key = String(status) in responses ? String(status) : 'default';
      const content = responses[key]?.content;
      if (!content) return answered === undefined ? undefined : `${status} with a body`;
      const type = contentType.split(';')[0] ?? '';
      if (!content[type]) return `${status} as ${contentType}`;
      const validate = validatorOf(key, type);
      return validate(answered) ? undefined : `${status}: ${ajv.errorsText(validate.errors)}`;
    },
  };
}
