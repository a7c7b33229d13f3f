import { AppError } from '../errors/index.ts';

/**
 * Entity tags of what people change: `"<version>"`, or `"<version>-<what else the body shows>"` when
 * the body has numbers that move without a new version. If-None-Match compares all of it, so nobody
 * keeps stale numbers; If-Match asks only whether somebody changed the thing, so it compares the
 * version.
 */
export const entityTag = (version: number, ...shown: readonly number[]): string =>
  `"${[version, ...shown].join('-')}"`;

/** True when If-None-Match names the tag: the client has this very body. */
export function isUnchanged(ifNoneMatch: string | undefined, tag: string): boolean {
  return splitTags(ifNoneMatch ?? '').some((one) => one === '*' || one.replace(/^W\//, '') === tag);
}

/** Whether If-Match allows a change of what has this version; undefined: it was not sent. */
export function matchesVersion(ifMatch: string | undefined, version: number): boolean | undefined {
  if (ifMatch === undefined) return undefined;
  return splitTags(ifMatch).some(
    (tag) => tag === '*' || /^"(\d+)(-\d+)*"$/.exec(tag)?.[1] === String(version),
  );
}

/**
 * The first number that If-Match's tag of this version shows beside it: what its sender has read.
 * Undefined for `*`, whose sender does not mind, and for a tag that shows none.
 */
export function shownBy(ifMatch: string, version: number): number | undefined {
  for (const tag of splitTags(ifMatch)) {
    const [, found, shown] = /^"(\d+)-(\d+)(?:-\d+)*"$/.exec(tag) ?? [];
    if (found === String(version)) return Number(shown);
  }
  return undefined;
}

/** Throws `precondition-required` without If-Match, `version-conflict` with one of the past. */
export function requireVersion(ifMatch: string | undefined, version: number): void {
  if (ifMatch === undefined)
    throw new AppError('precondition-required', {
      message: 'Send If-Match with the ETag of what you have read',
    });
  refuseOtherVersion(ifMatch, version);
}

/** Throws `version-conflict` when there is an If-Match and it is one of the past. */
export function refuseOtherVersion(ifMatch: string | undefined, version: number): void {
  if (matchesVersion(ifMatch, version) === false)
    throw new AppError('version-conflict', { extensions: { version } });
}

const splitTags = (header: string) => header.split(',').map((tag) => tag.trim());
