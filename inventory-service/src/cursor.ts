import { z } from 'zod';

/** The opaque text of a place in a list. */
export const toCursor = (place: readonly (string | number)[]): string =>
  Buffer.from(JSON.stringify(place)).toString('base64url');

/** A cursor of a request, as the place of this form that it stands for. */
export const cursorOf = <S extends z.ZodType>(place: S) =>
  z
    .string()
    .max(2_000)
    .transform((text, context): z.output<S> => {
      const parsed = place.safeParse(parseJson(Buffer.from(text, 'base64url').toString()));
      if (parsed.success) return parsed.data;
      context.addIssue({ code: 'custom', message: 'not a cursor of this list' });
      return z.NEVER;
    });

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Headers of a page: the address of the next one, with the filters of this one. */
export function nextPage(
  path: string,
  query: Readonly<Record<string, string | number | boolean | undefined>>,
): { Link: string } {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return { Link: `<${path}?${new URLSearchParams(pairs).toString()}>; rel="next"` };
}
