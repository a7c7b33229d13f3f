import type { Request } from 'express';
import type { VerifyAccessToken } from '@quicksale/shared/auth';
import { toAppError } from '@quicksale/shared/errors';
import { readBearerToken } from '@quicksale/shared/http';

/**
 * Who a request is counted for. `unjudged`: it has a token, but the keys to verify it are not to
 * be had. Nothing is refused for it here: the services judge tokens themselves.
 */
export type Caller = { kind: 'user'; userId: string } | { kind: 'stranger' } | { kind: 'unjudged' };

export async function identifyCaller(req: Request, verify: VerifyAccessToken): Promise<Caller> {
  const token = readBearerToken(req.get('authorization'));
  if (!token) return { kind: 'stranger' };
  try {
    const { userId } = await verify(token);
    return { kind: 'user', userId };
  } catch (error) {
    return { kind: toAppError(error).kind === 'unavailable' ? 'unjudged' : 'stranger' };
  }
}
