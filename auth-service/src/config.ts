import { z } from 'zod';
import {
  field,
  mongoFields,
  processFields,
  publicPort,
  tokenFields,
  workRedisFields,
  type Config,
} from '@quicksale/shared/config';
import { rateLimitField } from '@quicksale/shared/limits';
import { readSigningKey } from './keys/read-signing-key.ts';

const signingKey = z.string().transform((path, context) => {
  try {
    return readSigningKey(path);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

/** What auth-service reads from its environment. */
export const config = {
  ...processFields('AUTH_SERVICE', 9001),
  ...publicPort('AUTH_SERVICE', 3001),
  ...mongoFields,
  ...workRedisFields,
  jwtIssuer: tokenFields.jwtIssuer,
  jwtAudience: tokenFields.jwtAudience,
  signingKey: field(
    'JWT_PRIVATE_KEY_FILE',
    signingKey,
    'Path of the RSA private key (PKCS8 PEM, 2048 bits or more) that signs access tokens',
  ),
  merchantSignUp: field(
    'MERCHANT_SIGN_UP',
    z.enum(['on', 'off']).default('on'),
    'Whether anybody may register as a MERCHANT; off in production',
    'on',
  ),
  loginLimit: rateLimitField(
    'RATE_LIMIT_LOGIN',
    '5/60',
    'Logins per address and account, as points/seconds',
  ),
  loginFailureLimit: rateLimitField(
    'RATE_LIMIT_LOGIN_FAILURES',
    '20/3600',
    'Failed logins in a row per address and account, as points/seconds; a good one starts anew',
  ),
};

export type AuthServiceConfig = Config<typeof config>;
