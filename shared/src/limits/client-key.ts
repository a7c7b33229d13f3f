import { isIPv6 } from 'node:net';

/**
 * The key under which an address is limited. An IPv6 client owns a whole /64 and could change its
 * address with every request, so only that half counts; IPv4 in IPv6 clothes is IPv4.
 */
export function addressKey(ip: string): string {
  const bare = ip.replace(/%.*$/, '');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1];
  if (mapped) return `ip:${mapped}`;
  if (!isIPv6(bare)) return `ip:${bare}`;
  return `ip:${firstGroups(bare).join(':')}::/64`;
}

/** The first four of the eight groups, without leading zeros. */
function firstGroups(ip: string): string[] {
  const [before = '', after] = ip.toLowerCase().split('::');
  const groups = (part: string | undefined) => (part ? part.split(':') : []);
  const head = groups(before);
  const tail = groups(after);
  // A trailing dotted quad stands for two groups; it is never within the first four by itself.
  const tailLength = tail.length + (tail.at(-1)?.includes('.') ? 1 : 0);
  const zeros = after === undefined ? 0 : Math.max(0, 8 - head.length - tailLength);
  return [...head, ...Array<string>(zeros).fill('0'), ...tail]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''));
}
