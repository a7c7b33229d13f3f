import { z } from 'zod';

const plain = /^\P{C}*$/u;
const line = z.string().trim().min(1).max(200).regex(plain, 'no control characters');

/** A postal address, as it is sent and as it is shown again. */
export const address = z
  .strictObject({
    name: line.optional(),
    line1: line,
    line2: line.optional(),
    city: line,
    region: line.optional(),
    postalCode: z.string().trim().min(1).max(20).regex(plain, 'no control characters'),
    country: z.string().regex(/^[A-Z]{2}$/, 'two capital letters, such as DE'),
  })
  .meta({ id: 'Address' });
