import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A request as it passed. */
export interface PassedRequest {
  method: string;
  /** Without the query. */
  path: string;
  /** Fields of the query and of the form. */
  fields: Record<string, string>;
  headers: IncomingHttpHeaders;
}

type Body = Record<string, unknown>;

/** Passes requests on to a server and keeps what they were; on a free port. */
export async function startRecordingProxy(target: string): Promise<{
  url: string;
  requests: PassedRequest[];
  /** Changes what the next answers to a path say; given back the body as it came. */
  amend: (path: RegExp, change: (body: Body) => Body) => void;
  /** Forgets the requests and the changes. */
  reset: () => void;
  stop: () => Promise<void>;
}> {
  const requests: PassedRequest[] = [];
  const changes: { path: RegExp; change: (body: Body) => Body }[] = [];
  const server = createServer((req, res) => {
    void (async () => {
      const form = await text(req);
      const { pathname, search, searchParams } = new URL(req.url ?? '/', target);
      const fields = [...searchParams, ...new URLSearchParams(form)];
      const method = req.method ?? '';
      requests.push({
        ...{ method, path: pathname, headers: req.headers },
        fields: Object.fromEntries(fields),
      });
      const answer = await fetch(new URL(pathname + search, target), {
        method,
        headers: {
          authorization: req.headers.authorization ?? '',
          'content-type': req.headers['content-type'] ?? '',
          'stripe-version': String(req.headers['stripe-version']),
        },
        ...(method === 'POST' && { body: form }),
      });
      const body = changes
        .filter(({ path }) => path.test(pathname))
        .reduce((before, { change }) => change(before), (await answer.json()) as Body);
      res.writeHead(answer.status, { 'Content-Type': 'application/json' });
      res.end(JSON.stringify(body));
    })().catch((error: unknown) => res.destroy(error as Error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    amend: (path, change) => void changes.push({ path, change }),
    reset: () => void (requests.splice(0), changes.splice(0)),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
