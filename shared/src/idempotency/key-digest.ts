import { createHash } from 'node:crypto';

/**
 * The one name of an idempotency key: sha256 over user, route and key, in hex. Constant size and
 * alphabet, so no key can inject anything into a store's key.
 */
export function idempotencyDigest(scope: { userId: string; route: string; key: string }): string {
  // No part but the last can contain a line feed, so two scopes never give one text.
  return sha256(`${scope.userId}\n${scope.route}\n${scope.key}`);
}

/** SHA-256 of a request body in canonical form: members sorted, numbers as JSON writes them. */
export function requestFingerprint(body: unknown): string {
  return sha256(canonicalJson(body));
}

function canonicalJson(value: unknown): string {
  // A schema may have made it of a member.
  if (value instanceof Date) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
    return `{${members.join()}}`;
  }
  return JSON.stringify(value);
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
