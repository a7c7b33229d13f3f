import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import type { z } from 'zod';
import type { Principal, VerifyAccessToken } from '../auth/principal.ts';
import type { Role } from '../contracts/roles.ts';
import { AppError, type ErrorCode } from '../errors/index.ts';
import { currentContext } from '../log/index.ts';
import { readIdempotencyKey } from './idempotency-key.ts';
import { validate } from './validate.ts';

/** Largest request body, in bytes. */
export const maxBodyBytes = 16 * 1024;

/** Who may call a route: everybody, everybody signed in, or the named roles. */
export type Access = 'public' | 'signed-in' | readonly Role[];

type Replies = Readonly<Record<number, z.ZodType | undefined>>;

/** A body that is made while it is sent, as fast as the client takes it; it ends with the client. */
export interface StreamedBody {
  type: string;
  chunks: AsyncIterable<string>;
}

/**
 * What a handler returns. `raw` is a body that is already JSON and is sent byte for byte; a streamed
 * one is documented by the schema, and what fails in its midst cuts it off.
 */
export type Reply<R extends Replies> = {
  [S in keyof R & number]: {
    status: S;
    headers?: Readonly<Record<string, string>>;
  } & (R[S] extends z.ZodType
    ? { body: z.input<R[S]> } | { raw: string } | { stream: StreamedBody }
    : object);
}[keyof R & number];

/** Contract of one route: enough to validate requests and to write its page in the API docs. */
export interface RouteSpec<
  A extends Access,
  P extends z.ZodType,
  Q extends z.ZodType,
  B extends z.ZodType,
  R extends Replies,
> {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  path: string;
  summary: string;
  access: A;
  params?: P;
  query?: Q;
  body?: B;
  /** The route requires an Idempotency-Key; `optional`: it heeds one that is sent. */
  idempotent?: boolean | 'optional';
  replies: R;
  /** Codes that this route itself can answer, beside those of every route. */
  errors?: readonly ErrorCode[];
}

export interface RouteContext<A extends Access = Access> {
  requestId: string;
  /** Address of the client as far as trusted proxies tell it. */
  ip: string;
  principal: A extends 'public' ? undefined : Principal;
  /** The checked key on an `idempotent` route, else ''; '' as well when an optional one is missing. */
  idempotencyKey: string;
  header: (name: string) => string | undefined;
  /** Adds a header to the answer whatever becomes of the request, a refusal included. */
  setHeader: (name: string, value: string) => void;
}

/** A route with its types erased, ready to be mounted or described. */
export interface Route {
  spec: RouteSpec<Access, z.ZodType, z.ZodType, z.ZodType, Replies>;
  handle: (req: Request, res: Response, verify: VerifyAccessToken) => Promise<void>;
}

/** Binds a contract to a handler that gets valid input and returns its answer. */
export function route<
  A extends Access,
  R extends Replies,
  P extends z.ZodType = z.ZodUndefined,
  Q extends z.ZodType = z.ZodUndefined,
  B extends z.ZodType = z.ZodUndefined,
>(
  spec: RouteSpec<A, P, Q, B, R>,
  handler: (
    input: { params: z.output<P>; query: z.output<Q>; body: z.output<B> },
    context: RouteContext<A>,
  ) => Promise<Reply<NoInfer<R>>>,
): Route {
  const handle: Route['handle'] = async (req, res, verify) => {
    const principal = await authorise(spec.access, req, verify);
    const input = {
      params: (spec.params && validate(spec.params, req.params, 'params')) as z.output<P>,
      query: (spec.query && validate(spec.query, req.query, 'query')) as z.output<Q>,
      body: (spec.body && validate(spec.body, req.body, 'body')) as z.output<B>,
    };
    const reply = await handler(input, {
      requestId: String(res.locals.requestId),
      ip: req.ip ?? '',
      principal: principal as RouteContext<A>['principal'],
      idempotencyKey: takesKey(spec.idempotent, req) ? readIdempotencyKey(req) : '',
      header: (name) => req.get(name),
      setHeader: (name, value) => void res.setHeader(name, value),
    });
    if (principal) res.setHeader('Cache-Control', 'no-store');
    await send(res, reply);
  };
  return { spec: spec, handle };
}

const takesKey = (idempotent: boolean | 'optional' = false, req: Request) =>
  idempotent === 'optional' ? req.headers['idempotency-key'] !== undefined : idempotent;

interface SentReply {
  status: number;
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
  raw?: string;
  stream?: StreamedBody;
}

async function send(res: Response, reply: SentReply): Promise<void> {
  if (reply.stream) return sendStream(res, reply, reply.stream);
  res.status(reply.status);
  if (reply.headers) res.set(reply.headers);
  const text = reply.raw ?? (reply.body === undefined ? undefined : JSON.stringify(reply.body));
  if (text === undefined) res.end();
  else res.type('application/json').send(Buffer.from(text));
}

/** The first piece is waited for: what fails until then is answered like any other failure. */
async function sendStream(
  res: Response,
  { status, headers }: SentReply,
  { type, chunks }: StreamedBody,
): Promise<void> {
  const source = chunks[Symbol.asyncIterator]();
  const first = await source.next();
  async function* all(): AsyncGenerator<string, void> {
    try {
      if (!first.done) yield first.value;
      for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
    } finally {
      await source.return?.();
    }
  }
  res.status(status).type(type);
  if (headers) res.set(headers);
  try {
    await pipeline(Readable.from(all()), res);
  } catch (error) {
    // A client that goes away ends the source; that is no failure.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}

async function authorise(
  access: Access,
  req: Request,
  verify: VerifyAccessToken,
): Promise<Principal | undefined> {
  if (access === 'public') return undefined;
  const token = readBearerToken(req.get('authorization'));
  if (!token) throw new AppError('unauthenticated');
  const principal = await verify(token);
  if (access !== 'signed-in' && !access.includes(principal.role)) throw new AppError('forbidden');
  const context = currentContext();
  if (context) context.userId = principal.userId;
  return principal;
}

/** The token of an `Authorization: Bearer` header, if it has that form. */
export function readBearerToken(header: string | undefined): string | undefined {
  return /^Bearer ([A-Za-z0-9._~+/=-]{1,4096})$/i.exec(header ?? '')?.[1];
}

const parseJson = express.json({ limit: maxBodyBytes, strict: true, inflate: false });

/** Media type and size are judged before a byte of the body is read. */
const requireJson: RequestHandler = (req, _res, next) => {
  const length = Number(req.headers['content-length'] ?? 0);
  if (length > maxBodyBytes) throw new AppError('payload-too-large');
  const hasBody = length > 0 || req.headers['transfer-encoding'] !== undefined;
  if (hasBody && !req.is('application/json')) throw new AppError('unsupported-media-type');
  next();
};

/** Mounts routes on an app. Their paths are whole: the gateway's path is the service's path. */
export function mountRoutes(
  app: Express,
  routes: readonly Route[],
  verify: VerifyAccessToken,
): void {
  for (const { spec, handle } of routes) {
    const bodyParts = spec.body ? [requireJson, parseJson] : [];
    app[spec.method](spec.path, ...bodyParts, (req, res) => handle(req, res, verify));
  }
}
