import { z } from 'zod';
import { field, type ConfigField } from '../config/index.ts';

/** How many requests one key may make in a window. */
export interface RateLimit {
  points: number;
  windowSeconds: number;
}

/** A limit with the name that clients see in the RateLimit header fields. */
export interface RatePolicy extends RateLimit {
  name: string;
}

/** What a limiter says about one request. */
export interface RateDecision {
  allowed: boolean;
  remaining: number;
  /** Whole seconds until the window ends, at least 1. */
  resetSeconds: number;
}

const rateLimitSchema = z
  .string()
  .regex(/^[1-9]\d{0,6}\/[1-9]\d{0,4}$/, 'must be points/seconds, such as 5/60')
  .transform((value): RateLimit => {
    const [points = 0, windowSeconds = 0] = value.split('/').map(Number);
    return { points, windowSeconds };
  });

/** A line of a config table that holds a limit as `points/seconds`. */
export function rateLimitField(
  env: string,
  fallback: string,
  doc: string,
): ConfigField<z.ZodType<RateLimit, string | undefined>> {
  return field(env, z.string().default(fallback).pipe(rateLimitSchema), doc, fallback);
}

/** `RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers-11 spells them. */
export function rateLimitHeaders(
  policy: RatePolicy,
  decision: RateDecision,
): Readonly<Record<string, string>> {
  return {
    'RateLimit-Policy': `"${policy.name}";q=${policy.points};w=${policy.windowSeconds}`,
    RateLimit: `"${policy.name}";r=${decision.remaining};t=${decision.resetSeconds}`,
  };
}
