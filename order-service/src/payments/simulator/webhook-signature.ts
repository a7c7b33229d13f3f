import { createHmac, timingSafeEqual } from 'node:crypto';
import { AppError } from '@quicksale/shared/errors';

export const signatureHeader = 'simulator-signature';
const toleranceMs = 300_000;

const hmac = (secret: string, seconds: string, rawBody: Buffer) =>
  createHmac('sha256', secret).update(`${seconds}.`).update(rawBody).digest();

/** `t=<seconds>,v1=<HMAC-SHA256 over "<seconds>.<raw body>">`. */
export function signWebhook(secret: string, rawBody: Buffer, nowMs: number): string {
  const seconds = String(Math.floor(nowMs / 1000));
  return `t=${seconds},v1=${hmac(secret, seconds, rawBody).toString('hex')}`;
}

/** Throws AppError `webhook-signature-invalid` unless it is this secret's, of the last five minutes. */
export function verifyWebhook(
  secret: string,
  rawBody: Buffer,
  header: string | undefined,
  nowMs: number,
): void {
  const [, seconds, signature] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header ?? '') ?? [];
  if (seconds === undefined || signature === undefined)
    throw new AppError('webhook-signature-invalid');
  const isSigned = timingSafeEqual(Buffer.from(signature, 'hex'), hmac(secret, seconds, rawBody));
  const isFresh = Math.abs(nowMs - Number(seconds) * 1000) <= toleranceMs;
  if (!isSigned || !isFresh) throw new AppError('webhook-signature-invalid');
}
