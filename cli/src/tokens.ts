import { parseArgs } from 'node:util';
import { createTokenSigner, type Environment, StackError } from '@quicksale/local-stack';
import { type Role, roles } from '@quicksale/shared/contracts';

const mostTokens = 100_000;

export interface TokensRequest {
  readonly count: number;
  readonly role: Role;
  readonly userId: string | undefined;
}

/**
 * `tokens --count N --role ROLE [--user ID]`: access tokens of users that need not exist, signed
 * with the development key; one JSON object a line.
 */
export async function printTokens(options: {
  args: readonly string[];
  env: Environment;
  /** Variables of the stack, as its env file has them. */
  stackEnv: Environment;
  write: (text: string) => void;
}): Promise<void> {
  const { env, stackEnv } = options;
  if (env.NODE_ENV === 'production') {
    throw new StackError('Tokens are signed for development only, and NODE_ENV is production');
  }
  const request = parseTokensRequest(options.args);
  const privateKeyFile = env.JWT_PRIVATE_KEY_FILE || stackEnv.JWT_PRIVATE_KEY_FILE;
  if (!privateKeyFile) {
    throw new StackError('There is no signing key yet', {
      fix: 'Run npm start once, or set JWT_PRIVATE_KEY_FILE.',
    });
  }
  const sign = await createTokenSigner({
    privateKeyFile,
    issuer: env.JWT_ISSUER || stackEnv.JWT_ISSUER || 'quicksale',
    audience: env.JWT_AUDIENCE || stackEnv.JWT_AUDIENCE || 'quicksale',
  });
  for (let made = 0; made < request.count; made += 1) {
    options.write(`${JSON.stringify(sign(request.role, request.userId))}\n`);
  }
}

export function parseTokensRequest(args: readonly string[]): TokensRequest {
  const { values } = parseArgs({
    args: [...args],
    options: {
      count: { type: 'string', default: '1' },
      role: { type: 'string', default: 'CUSTOMER' },
      user: { type: 'string' },
      json: { type: 'boolean' },
    },
  });
  const count = Number(values.count);
  if (!Number.isInteger(count) || count < 1 || count > mostTokens) {
    throw new StackError(`--count ${values.count}: a number from 1 to ${mostTokens} is needed`);
  }
  const role = roles.find((known) => known === values.role);
  if (role === undefined) {
    throw new StackError(`--role ${values.role}: one of ${roles.join(', ')} is needed`);
  }
  if (values.user !== undefined && !/^[0-9a-f]{24}$/.test(values.user)) {
    throw new StackError(`--user ${values.user}: 24 hexadecimal digits are needed`);
  }
  return { count, role, userId: values.user };
}
