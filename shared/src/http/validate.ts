import type { z } from 'zod';
import { AppError, type FieldError } from '../errors/index.ts';

/** Parses one part of a request; throws `validation-failed` that names every wrong field. */
export function validate<S extends z.ZodType>(
  schema: S,
  value: unknown,
  where: 'body' | 'query' | 'params',
): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.flatMap(toFieldErrors);
  throw new AppError('validation-failed', {
    message: `The ${where === 'params' ? 'address' : where} is not valid`,
    errors: errors.map((error) =>
      where === 'body' ? error : { ...error, pointer: `/${where}${error.pointer}` },
    ),
  });
}

function toFieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      pointer: toPointer([...issue.path, key]),
      message: 'unknown field',
    }));
  return [{ pointer: toPointer(issue.path), message: issue.message }];
}

/** JSON pointer, RFC 6901. */
const toPointer = (path: readonly PropertyKey[]) =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
