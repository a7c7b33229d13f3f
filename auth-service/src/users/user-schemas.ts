import { z } from 'zod';
import { roles } from '@quicksale/shared/contracts';

/** Length before form: no pattern ever sees a long string. */
export const emailSchema = z.string().max(254, { abort: true }).pipe(z.email());

/** argon2 takes any length; the bound keeps hashing cheap. */
export const newPasswordSchema = z.string().min(8).max(128);

const nameSchema = z
  .string()
  .max(100, { abort: true })
  .trim()
  .min(1)
  .regex(/^\P{Cc}*$/u, 'must not contain control characters');

/** What every new account is made of. */
export const newAccountSchema = z.strictObject({
  email: emailSchema,
  password: newPasswordSchema,
  firstName: nameSchema,
  lastName: nameSchema,
});

export const userSchema = z
  .object({
    id: z.string(),
    email: z.string(),
    firstName: z.string(),
    lastName: z.string(),
    role: z.enum(roles),
  })
  .meta({ id: 'User' });
