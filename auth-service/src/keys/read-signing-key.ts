import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';

const smallestModulusBits = 2048;

/** The RSA private key in a PKCS8 PEM file. Throws an Error that says what is wrong with it. */
export function readSigningKey(path: string): KeyObject {
  const key = parsePem(readPem(path));
  if (key.asymmetricKeyType !== 'rsa') throw new Error('the key must be an RSA key');
  if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < smallestModulusBits)
    throw new Error(`the key must have at least ${smallestModulusBits} bits`);
  return key;
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Error('the file cannot be read', { cause });
  }
}

function parsePem(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new Error('the file holds no private key in PEM', { cause });
  }
}
