import { exchangeBytes } from '../system/wait-until.ts';

/**
 * Asks the broker for the cluster's live brokers (Kafka's DescribeCluster, version 0). A broker
 * whose port is open may still be fenced; once it is listed here, topics can be created.
 */
export async function isBrokerReady(port: number): Promise<boolean> {
  const request = Buffer.from([
    ...[0, 0, 0, 12], // length
    ...[0, 60, 0, 0], // DescribeCluster, version 0
    ...[0, 0, 0, 1], // correlation id
    ...[0xff, 0xff], // no client id
    ...[0, 0, 0], // no tags; without authorized operations; no tags
  ]);
  request.writeInt32BE(request.length - 4, 0);
  const reply = await exchangeBytes({
    port,
    request,
    isComplete: (bytes) => bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0),
    timeoutMs: 2000,
  });
  return reply !== undefined && countBrokers(reply) > 0;
}

/** Number of brokers in a DescribeCluster reply; 0 when it carries an error. */
export function countBrokers(reply: Buffer): number {
  // length 4, correlation id 4, tags 1, throttle time 4, error code 2
  const errorCode = reply.readInt16BE(13);
  if (errorCode !== 0) {
    return 0;
  }
  let offset = 15;
  offset = skipCompactString(reply, offset); // error message
  offset = skipCompactString(reply, offset); // cluster id
  offset += 4; // controller id
  return Math.max(0, (reply[offset] ?? 0) - 1);
}

/** Lengths are written as length + 1 in one byte here: all of these strings are short. */
function skipCompactString(reply: Buffer, offset: number): number {
  const lengthPlusOne = reply[offset] ?? 0;
  return offset + 1 + Math.max(0, lengthPlusOne - 1);
}
