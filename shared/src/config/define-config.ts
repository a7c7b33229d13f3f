import { readFileSync } from 'node:fs';
import type { z } from 'zod';

/** One line of a config table: environment name, schema, what it means. */
export interface ConfigField<S extends z.ZodType = z.ZodType> {
  env: string;
  schema: S;
  doc: string;
  /** Value for `.env.example`; secrets have none. */
  example: string;
}

export type ConfigTable = Readonly<Record<string, ConfigField>>;
export type Config<T extends ConfigTable> = Readonly<{ [K in keyof T]: z.output<T[K]['schema']> }>;
export type Environment = Readonly<Record<string, string | undefined>>;

/** A field of a config table. */
export function field<S extends z.ZodType>(
  env: string,
  schema: S,
  doc: string,
  example = '',
): ConfigField<S> {
  return { env, schema, doc, example };
}

/** Every problem of a configuration at once. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is not usable:\n${problems.map((line) => `  ${line}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/**
 * Reads a table from the environment. An empty variable counts as not set; `<NAME>_FILE` names a
 * file that holds the value instead. Throws ConfigError with every problem; the result is frozen.
 */
export function loadConfig<T extends ConfigTable>(table: T, env: Environment): Config<T> {
  const problems: string[] = [];
  const result: Record<string, unknown> = {};
  for (const [name, { env: variable, schema, doc }] of Object.entries(table)) {
    const raw = readVariable(variable, env, problems);
    const parsed = schema.safeParse(raw);
    if (parsed.success) result[name] = parsed.data;
    else if (raw === undefined) problems.push(`${variable} is not set: ${doc}`);
    else problems.push(`${variable}: ${parsed.error.issues.map((i) => i.message).join('; ')}`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(result) as Config<T>;
}

function readVariable(name: string, env: Environment, problems: string[]): string | undefined {
  const file = env[`${name}_FILE`];
  // A variable that itself ends in _FILE (a path) has no further _FILE form.
  if (file && !name.endsWith('_FILE')) {
    try {
      return readFileSync(file, 'utf8').trimEnd();
    } catch {
      problems.push(`${name}_FILE: the file cannot be read`);
      return undefined;
    }
  }
  const value = env[name];
  return value === '' ? undefined : value;
}
