import { createHash, createPublicKey, type KeyObject } from 'node:crypto';

/** A public RS256 key as a JWKS lists it. */
export interface PublicJwk {
  kty: 'RSA';
  n: string;
  e: string;
  kid: string;
  use: 'sig';
  alg: 'RS256';
}

/** Name of an RSA key: its RFC 7638 thumbprint, 43 characters. Takes either half of the pair. */
export function keyIdOf(key: KeyObject): string {
  const { n, e } = publicNumbers(key);
  // RFC 7638: exactly these members, in this order, without white space.
  return createHash('sha256')
    .update(JSON.stringify({ e, kty: 'RSA', n }))
    .digest('base64url');
}

/** The public half of a signing key, ready to be published. */
export function publicJwk(privateKey: KeyObject): PublicJwk {
  return {
    kty: 'RSA',
    ...publicNumbers(privateKey),
    kid: keyIdOf(privateKey),
    use: 'sig',
    alg: 'RS256',
  };
}

function publicNumbers(key: KeyObject): { n: string; e: string } {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const { n, e } = publicKey.export({ format: 'jwk' });
  if (!n || !e) throw new Error('An RSA key is needed');
  return { n, e };
}
