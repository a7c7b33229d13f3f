export { signAccessToken, type AccessTokenInput } from './access-token.ts';
export { type FetchJwks } from './key-set.ts';
export { type Principal, type VerifyAccessToken } from './principal.ts';
export { keyIdOf, publicJwk, type PublicJwk } from './signing-key.ts';
export { createTokenVerifier, type TokenVerifierOptions } from './token-verifier.ts';
