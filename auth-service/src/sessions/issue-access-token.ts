import type { KeyObject } from 'node:crypto';
import { keyIdOf, signAccessToken } from '@quicksale/shared/auth';
import type { Role } from '@quicksale/shared/contracts';
import type { Clock, Random } from '@quicksale/shared/process';

const lifetimeSeconds = 15 * 60;

export type IssueAccessToken = (subject: {
  userId: string;
  role: Role;
  sessionId: string;
}) => string;

/** Signs access tokens with this service's key. */
export function createAccessTokenIssuer(options: {
  privateKey: KeyObject;
  issuer: string;
  audience: string;
  clock: Clock;
  random: Random;
}): IssueAccessToken {
  const { privateKey, issuer, audience, clock, random } = options;
  const kid = keyIdOf(privateKey);
  return (subject) => {
    const nowMs = clock.now();
    return signAccessToken({
      ...subject,
      privateKey,
      kid,
      issuer,
      audience,
      nowMs,
      lifetimeSeconds,
      jti: random.objectId(nowMs),
    });
  };
}
