import { z } from 'zod';

/** Why somebody gave an order up or sent money back, in a request; others read it. */
export const reason = z
  .string()
  .trim()
  .min(1)
  .max(500)
  .regex(/^\P{C}*$/u, 'no control characters');
