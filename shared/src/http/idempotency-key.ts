import type { Request } from 'express';
import { AppError } from '../errors/index.ts';

const printable = /^[\x20-\x7e]{1,255}$/;

/**
 * The request's Idempotency-Key, bare or quoted (`"k"` and `k` are the same key), 1..255 printable
 * ASCII characters. Throws `idempotency-key-required` or `idempotency-key-invalid`.
 * Source: draft-ietf-httpapi-idempotency-key-header-07.
 */
export function readIdempotencyKey(req: Request): string {
  const values = req.headersDistinct['idempotency-key'];
  if (!values?.length) throw new AppError('idempotency-key-required');
  if (values.length > 1)
    throw new AppError('idempotency-key-invalid', { message: 'Send one Idempotency-Key' });
  const key = unquote(values[0]?.trim() ?? '');
  if (!printable.test(key))
    throw new AppError('idempotency-key-invalid', {
      message: 'Idempotency-Key takes 1 to 255 printable ASCII characters',
    });
  return key;
}

function unquote(value: string): string {
  const quoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
  return quoted ? value.slice(1, -1) : value;
}
