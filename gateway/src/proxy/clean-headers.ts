import type { IncomingHttpHeaders } from 'node:http';

/** Headers in which internal callers speak about identity; nobody outside may. */
const identityHeader = /^x-(user|internal)(-|$)/;

/** Where a request came from: told by us alone. */
const originHeaders = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
]);

/**
 * Headers about the client's connection to us. `Connection` may name others to be dropped (RFC
 * 9110, 7.6.1); that is ignored, so that no client removes a header that we or the services need.
 */
const hopHeaders = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'http2-settings',
  'proxy-authorization',
  'proxy-authenticate',
  // Answered by Node itself; the proxy sends such a request past its own checks.
  'expect',
]);

const cleanTraceparent = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * Changes the headers of a request into those that a service may see: without anything that
 * speaks for the gateway, with the client's address and the request id as we know them. `keep` names
 * headers of the connection that stay.
 */
export function cleanHeaders(
  headers: IncomingHttpHeaders,
  known: { clientAddress: string; requestId: string },
  keep: readonly string[] = [],
): void {
  for (const name of Object.keys(headers)) {
    // Some servers read `x_user_id` as `x-user-id`.
    const plain = name.toLowerCase().replaceAll('_', '-');
    if (keep.includes(name)) continue;
    if (identityHeader.test(plain) || originHeaders.has(plain) || hopHeaders.has(plain))
      delete headers[name];
  }
  const { traceparent } = headers;
  if (typeof traceparent !== 'string' || !cleanTraceparent.test(traceparent))
    delete headers.traceparent;
  headers['x-request-id'] = known.requestId;
  headers['x-forwarded-for'] = known.clientAddress;
}

/** Takes headers about one connection off an upstream's answer before it goes to the client. */
export function dropHopHeaders(headers: IncomingHttpHeaders): void {
  for (const name of hopHeaders) delete headers[name];
}
