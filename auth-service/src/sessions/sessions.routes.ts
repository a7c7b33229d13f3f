import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { route, type Route } from '@quicksale/shared/http';
import { addUser } from '../users/add-user.ts';
import { emailSchema, newAccountSchema, userSchema } from '../users/user-schemas.ts';
import { toPublicUser } from '../users/user.ts';
import { logIn, type LogInDeps } from './log-in.ts';
import { logOut } from './log-out.ts';
import { openSession } from './open-session.ts';
import { refreshSession } from './refresh-session.ts';
import { withinLoginLimit, type LoginLimiters } from './within-login-limit.ts';

export interface SessionsRoutesOptions {
  deps: LogInDeps;
  loginLimiters: LoginLimiters;
  merchantSignUp: boolean;
}

const registerBody = newAccountSchema.extend({
  role: z.enum(['CUSTOMER', 'MERCHANT']).default('CUSTOMER'),
});
const loginBody = z.strictObject({ email: emailSchema, password: z.string().min(1).max(128) });
const refreshBody = z.strictObject({ refreshToken: z.string().min(1).max(512) });

const tokensSchema = z.object({ accessToken: z.string(), refreshToken: z.string() });
const signedInSchema = tokensSchema.extend({ message: z.string(), user: userSchema });

/** Tokens must not stay in any cache. */
const headers = { 'Cache-Control': 'no-store' };

/** Registering, signing in, staying signed in, signing out. */
export function sessionsRoutes(options: SessionsRoutesOptions): readonly Route[] {
  const { deps, loginLimiters, merchantSignUp } = options;
  return [
    route(
      {
        operationId: 'register',
        method: 'post',
        path: '/api/auth/register',
        summary: 'Register and sign in',
        access: 'public',
        body: registerBody,
        replies: { 201: signedInSchema },
        errors: ['email-taken', 'forbidden', 'overloaded'],
      },
      async ({ body }) => {
        if (body.role === 'MERCHANT' && !merchantSignUp)
          throw new AppError('forbidden', { message: 'Merchants are registered by the operator' });
        const user = await addUser(deps, body);
        const tokens = await openSession(deps, user);
        const message = 'User registered successfully';
        return { status: 201, headers, body: { message, user: toPublicUser(user), ...tokens } };
      },
    ),
    route(
      {
        operationId: 'logIn',
        method: 'post',
        path: '/api/auth/login',
        summary: 'Sign in with a password',
        access: 'public',
        body: loginBody,
        replies: { 200: signedInSchema },
        errors: ['invalid-credentials', 'rate-limited', 'overloaded'],
      },
      async ({ body }, { ip, setHeader }) => {
        const attempt = { ip, email: body.email, setHeader };
        const { user, ...tokens } = await withinLoginLimit(loginLimiters, attempt, () =>
          logIn(deps, body),
        );
        const message = 'Login successful';
        return { status: 200, headers, body: { message, user: toPublicUser(user), ...tokens } };
      },
    ),
    route(
      {
        operationId: 'refreshSession',
        method: 'post',
        path: '/api/auth/refresh',
        summary: 'Trade a refresh token for new tokens; each works once',
        access: 'public',
        body: refreshBody,
        replies: { 200: tokensSchema },
        errors: ['unauthenticated'],
      },
      async ({ body }) => ({
        status: 200,
        headers,
        body: await refreshSession(deps, body.refreshToken),
      }),
    ),
    route(
      {
        operationId: 'logOut',
        method: 'post',
        path: '/api/auth/logout',
        summary: 'Sign out; the access token lives out its minutes',
        access: 'public',
        body: refreshBody,
        replies: { 204: undefined },
      },
      async ({ body }) => {
        await logOut(deps, body.refreshToken);
        return { status: 204 };
      },
    ),
  ];
}
