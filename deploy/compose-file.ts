// docker-compose.yml as its tests see it: parsed, merged and filled in, as Compose does it.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface ComposeService {
  image: string;
  pull_policy?: string;
  profiles?: readonly string[];
  build?: { context: string; dockerfile: string };
  command?: readonly string[];
  environment?: Readonly<Record<string, string | number>>;
  ports?: readonly string[];
  secrets?: readonly string[];
  depends_on?: Readonly<Record<string, { condition: string }>>;
  healthcheck?: { test?: readonly string[]; start_period?: string };
  volumes?: readonly string[];
  init?: boolean;
  read_only?: boolean;
  cap_drop?: readonly string[];
  security_opt?: readonly string[];
  stop_grace_period?: string;
}

export interface ComposeFile {
  services: Readonly<Record<string, ComposeService>>;
  secrets: Readonly<Record<string, { file: string }>>;
  volumes: Readonly<Record<string, null>>;
}

/**
 * Reads a compose file with its merge keys. `${NAME:-default}` and `${NAME:?message}` are filled in
 * from `variables`; a variable that must be given and is not is an error with its message.
 */
export function readComposeFile(
  path: string,
  variables: Readonly<Record<string, string>>,
): ComposeFile {
  const fill = (value: unknown): unknown => {
    if (typeof value === 'string') return interpolate(value, variables);
    if (Array.isArray(value)) return value.map(fill);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner)]));
  };
  return fill(parse(readFileSync(path, 'utf8'), { merge: true })) as ComposeFile;
}

function interpolate(text: string, variables: Readonly<Record<string, string>>): string {
  const form = /\$(?:\$|\{([A-Z_]+)(?:(:[-?])([^}]*))?\})/g;
  return text.replace(
    form,
    (whole: string, name?: string, operator?: string, rest: string = '') => {
      if (name === undefined) return whole.slice(1);
      const value = variables[name];
      if (value) return value;
      if (operator === ':?') throw new Error(`${name}: ${rest}`);
      return rest;
    },
  );
}
