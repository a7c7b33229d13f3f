import { readFileSync } from 'node:fs';

/** A request of a `.http` file, with `{{...}}` where an earlier answer or a variable belongs. */
export interface FileRequest {
  title: string;
  /** By which later requests speak of its answer. */
  name?: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: string;
}

/** Reads the requests of a `.http` file, in order. */
export function readHttpFile(path: string): FileRequest[] {
  const [, ...blocks] = readFileSync(path, 'utf8').split(/^### /m);
  return blocks.map((block) => {
    const [title = '', ...lines] = block.trimEnd().split('\n');
    const name = lines.map((line) => /^# @name (\w+)$/.exec(line)?.[1]).find(Boolean);
    const text = lines.filter((line) => !line.startsWith('# '));
    const [method = '', url = ''] = text[0]?.split(' ') ?? [];
    const gap = text.indexOf('');
    const heads = text.slice(1, gap < 0 ? undefined : gap);
    const body = gap < 0 ? '' : text.slice(gap + 1).join('\n');
    const headers = Object.fromEntries(
      heads.map((line) => [line.split(': ', 1)[0], line.slice(line.indexOf(': ') + 2)]),
    ) as Record<string, string>;
    return { title, ...(name && { name }), method, url, headers, ...(body && { body }) };
  });
}

/** Fills in variables and what earlier answers hold: `{{name.response.body.path.to.it}}`. */
export function fillIn(
  text: string,
  variables: Readonly<Record<string, string>>,
  answers: ReadonlyMap<string, unknown>,
): string {
  return text.replace(/\{\{([\w.]+)\}\}/g, (_, place: string) => {
    const [name = '', , , ...path] = place.split('.');
    if (variables[place] !== undefined) return variables[place];
    const found = path.reduce<unknown>(
      (value, part) => (value as Record<string, unknown> | undefined)?.[part],
      answers.get(name),
    );
    if (typeof found !== 'string') throw new Error(`${place} is not known`);
    return found;
  });
}
