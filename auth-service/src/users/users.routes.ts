import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { route, type Route } from '@quicksale/shared/http';
import { addUser, type AddUserDeps } from './add-user.ts';
import { toPublicUser, type UserStore } from './user.ts';
import { newAccountSchema, userSchema } from './user-schemas.ts';

/** What a signed-in person sees of their own account. */
export function usersRoutes(users: UserStore): readonly Route[] {
  return [
    route(
      {
        operationId: 'readOwnAccount',
        method: 'get',
        path: '/api/users/me',
        summary: 'Your own account',
        access: 'signed-in',
        replies: { 200: userSchema },
        errors: ['not-found'],
      },
      async (_input, { principal }) => {
        const user = await users.findById(principal.userId);
        // Development tokens speak for people who never registered.
        if (!user) throw new AppError('not-found', { message: 'This account does not exist' });
        return { status: 200, body: toPublicUser(user) };
      },
    ),
  ];
}

/** Routes of the admin port, guarded by the internal key: the only way to make an ADMIN. */
export function internalUsersRoutes(deps: AddUserDeps): readonly Route[] {
  return [
    route(
      {
        operationId: 'makeAdmin',
        method: 'post',
        path: '/internal/admins',
        summary: 'Make an administrator',
        access: 'public',
        body: newAccountSchema,
        replies: { 201: z.object({ user: userSchema }) },
        errors: ['email-taken', 'overloaded'],
      },
      async ({ body }) => {
        const user = await addUser(deps, { ...body, role: 'ADMIN' });
        return { status: 201, body: { user: toPublicUser(user) } };
      },
    ),
  ];
}
